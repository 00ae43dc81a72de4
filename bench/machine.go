package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/experiment"
	"github.com/postrider/postrider/bench/peer"
)

// describe notes what the run is on and of.
func (g *ground) describe(ctx context.Context, o options) {
	m := rig.ThisMachine(ctx, g.root, g.services)
	run := g.bench.Run
	run.Machine = learned(map[string]string{
		"commit": m.Commit, "cores": fmt.Sprint(m.Cores), "memory": gibibytes(m.Memory), "system": m.System,
	})
	run.Versions = learned(map[string]string{
		"Go": strings.TrimPrefix(m.Go, "go"), "Postgres": firstWord(m.Postgres), "RabbitMQ": m.RabbitMQ,
		"Redis": redisVersion(ctx, g.where.Redis), "Postfix": postfixVersion(ctx),
	})
	for name, version := range libraries() {
		run.Versions[name] = version
	}
	for _, name := range o.systems {
		run.Notes[name] = peer.Note(name)
		if own, ok := ownNamed(name); ok {
			run.Notes[name] = own.note
		}
	}
	if slices.Contains(o.experiments, expBacklog) || slices.Contains(o.experiments, expCritical) {
		run.Notes[ownSystem] = experiment.Note
	}
	run.Notes = learned(run.Notes)
	run.Missing = append(run.Missing, unmeasured()...)
}

// unmeasured is what no run of this program can tell.
func unmeasured() []string {
	return []string{
		"sessions with TLS and AUTH to the relay host: all systems send in the clear",
		"several hosts: callers, systems, servers and sink share this machine's cores",
		"slow disks: a commit here waits for this machine's disk and no other",
		"RabbitMQ 4.x and a cluster of several nodes",
	}
}

// learned leaves out what could not be learned.
func learned(values map[string]string) map[string]string {
	found := map[string]string{}
	for name, value := range values {
		if value != "" {
			found[name] = value
		}
	}
	return found
}

// gibibytes reads what the kernel says, such as 24683656 kB.
func gibibytes(memory string) string {
	var kibi float64
	if _, err := fmt.Sscanf(memory, "%f kB", &kibi); err != nil {
		return memory
	}
	return fmt.Sprintf("%.0f GiB", kibi/(1<<20))
}

// firstWord leaves out what a distribution adds to a version.
func firstWord(version string) string {
	word, _, _ := strings.Cut(version, " ")
	return word
}

// libraries are the versions that this program was built with.
func libraries() map[string]string {
	names := map[string]string{
		"github.com/riverqueue/river":        "River",
		"github.com/hibiken/asynq":           "Asynq",
		"github.com/ThreeDotsLabs/watermill": "Watermill",
		"github.com/wneessen/go-mail":        "go-mail",
		"github.com/rabbitmq/amqp091-go":     "amqp091-go",
		"github.com/jackc/pgx/v5":            "pgx",
	}
	versions := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, module := range info.Deps {
		if name, wanted := names[module.Path]; wanted {
			versions[name] = module.Version
		}
	}
	return versions
}

func redisVersion(ctx context.Context, url string) string {
	options, err := redis.ParseURL(url)
	if err != nil {
		return ""
	}
	client := redis.NewClient(options)
	defer client.Close()
	return client.InfoMap(ctx, "server").Item("Server", "redis_version")
}

func postfixVersion(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "postconf", "-h", "mail_version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
