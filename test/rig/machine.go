package rig

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/postrider/postrider/test/check/witness"
)

// Machine is what a run ran on; what could not be learned is blank.
type Machine struct {
	Commit   string // of the checkout, with a + where its files differ from it
	Go       string
	System   string // kernel and processor
	Cores    int
	Memory   string
	Postgres string
	RabbitMQ string
}

// ThisMachine asks system, checkout and services; services may be nil.
func ThisMachine(ctx context.Context, root string, s *Services) Machine {
	m := Machine{
		Commit: commit(ctx, root), Go: runtime.Version(), Cores: runtime.NumCPU(),
		System: strings.TrimSpace(field("/proc/sys/kernel/osrelease", "") + ", " + field("/proc/cpuinfo", "model name")),
		Memory: field("/proc/meminfo", "MemTotal"),
	}
	if s != nil {
		m.Postgres, m.RabbitMQ = s.postgresVersion(ctx), s.rabbitmqVersion(ctx)
	}
	return m
}

// field is the value behind a name and a colon in a file of /proc; without a name it
// is the whole file.
func field(file, name string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if name == "" {
		return strings.TrimSpace(string(content))
	}
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func commit(ctx context.Context, root string) string {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	id := git("rev-parse", "--short", "HEAD")
	if git("status", "--porcelain", "--untracked-files=no") != "" {
		id += "+"
	}
	return id
}

func (s *Services) postgresVersion(ctx context.Context) string {
	db, err := witness.Open(s.Database)
	if err != nil {
		return ""
	}
	defer db.Close()
	var version string
	_ = db.QueryRowContext(ctx, "SHOW server_version").Scan(&version) // blank is said to be unknown
	return version
}

func (s *Services) rabbitmqVersion(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/api/overview", nil)
	if err != nil {
		return ""
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	_ = json.NewDecoder(res.Body).Decode(&overview) // blank is said to be unknown
	return overview.Version
}
