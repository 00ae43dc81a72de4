package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/postrider/postrider/test/check/witness"
)

// machine is where a figure was made.
type machine struct {
	Go        string  `json:"go"`
	Postgres  string  `json:"postgres"`
	RabbitMQ  string  `json:"rabbitmq"`
	Cores     int     `json:"cores"`
	MemoryGiB float64 `json:"memory_gib"`
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores, %.0f GiB, %s, Postgres %s, RabbitMQ %s", m.Cores, m.MemoryGiB, m.Go, m.Postgres, m.RabbitMQ)
}

// thisMachine asks the services what they are; one that does not answer is left
// blank.
func thisMachine(ctx context.Context, database, management string) machine {
	return machine{
		Go: runtime.Version(), Cores: runtime.NumCPU(), MemoryGiB: memory(),
		Postgres: postgresVersion(ctx, database), RabbitMQ: rabbitmqVersion(ctx, management),
	}
}

func memory() float64 {
	info, _ := os.ReadFile("/proc/meminfo")
	var kib float64
	_, _ = fmt.Sscanf(string(info), "MemTotal: %f kB", &kib)
	return kib / (1 << 20)
}

func postgresVersion(ctx context.Context, database string) string {
	db, err := witness.Open(database)
	if err != nil {
		return ""
	}
	defer func() { _ = db.Close() }()
	var version string
	_ = db.QueryRowContext(ctx, "SHOW server_version").Scan(&version)
	version, _, _ = strings.Cut(version, " ")
	return version
}

func rabbitmqVersion(ctx context.Context, management string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, management+"/api/overview", nil)
	if err != nil {
		return ""
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	_ = json.NewDecoder(res.Body).Decode(&overview)
	return overview.Version
}

// source is what is being tested.
type source struct {
	commit string // short, with a + where the programs' files differ from it
	code   string // hash of what the programs are made of
}

// thisSource asks git, which is asked for the trees that make up the programs:
// a commit of documents leaves their figures standing.
func thisSource(ctx context.Context, root string) source {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		out, _ := cmd.Output()
		return strings.TrimSpace(string(out))
	}
	s := source{commit: git("rev-parse", "--short", "HEAD")}
	programs := []string{"cmd", "internal", "migrations", "go.mod", "go.sum"}
	changed := git(append([]string{"status", "--porcelain", "--"}, programs...)...)
	if changed != "" {
		s.commit += "+"
	}
	trees := git(append([]string{"ls-tree", "HEAD", "--"}, programs...)...)
	s.code = fmt.Sprintf("%x", sha256.Sum256([]byte(trees+changed+git(append([]string{"diff", "HEAD", "--"}, programs...)...))))[:12]
	return s
}
