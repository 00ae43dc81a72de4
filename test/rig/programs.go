package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Programs are the built programs under test.
type Programs struct{ dir string }

// Root finds the folder of the checkout that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "scripts", "services.sh")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is in no checkout of Postrider")
		}
		dir = parent
	}
}

// Build builds producer, consumer and postrider of the checkout into dir: static as
// they are delivered, or with the race detector.
func Build(ctx context.Context, root, dir string, race bool) (*Programs, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-race="+strconv.FormatBool(race),
		"-o", dir+string(filepath.Separator), "./cmd/producer", "./cmd/consumer", "./cmd/postrider")
	build.Dir = root
	cgo := "CGO_ENABLED=0"
	if race {
		cgo = "CGO_ENABLED=1"
	}
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the programs under test: %w\n%s", err, out)
	}
	return &Programs{dir}, nil
}

// Path is the file of the program.
func (p *Programs) Path(program string) string { return filepath.Join(p.dir, program) }
