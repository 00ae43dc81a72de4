package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/job"
)

// Servers finds the process ids of Postgres and RabbitMQ, which must run on this
// machine: otherwise nobody can tell what they use of it.
func Servers(ctx context.Context, s *rig.Services) (map[string]int, error) {
	postgres, err1 := postmaster(ctx, s.Database)
	rabbitmq, err2 := broker(ctx, s.Management)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return map[string]int{job.Postgres: postgres, job.RabbitMQ: rabbitmq}, nil
}

// Redis finds the process id of the Redis at a URL, which must run on this machine.
func Redis(ctx context.Context, url string) (int, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return 0, fmt.Errorf("find Redis: %w", err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	info, err := client.InfoMap(ctx, "server").Result()
	if err != nil {
		return 0, fmt.Errorf("find Redis: %w", err)
	}
	pid, err := strconv.Atoi(info["Server"]["process_id"])
	if err != nil {
		return 0, fmt.Errorf("find Redis: %w", err)
	}
	return pid, nil
}

// postmaster is the parent of the process that serves a connection.
func postmaster(ctx context.Context, url string) (int, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, fmt.Errorf("find Postgres: %w", err)
	}
	defer conn.Close(ctx)
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return 0, fmt.Errorf("find Postgres: %w", err)
	}
	p, err := readProcess(fmt.Sprintf("/proc/%d/stat", backend))
	if err != nil {
		return 0, fmt.Errorf("find Postgres: it does not run on this machine: %w", err)
	}
	return p.parent, nil
}

// broker asks the management API for the one node's process.
func broker(ctx context.Context, management string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, management+"/api/nodes", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("find RabbitMQ: %w", err)
	}
	defer res.Body.Close()
	var nodes []struct {
		PID string `json:"os_pid"`
	}
	if err := json.NewDecoder(res.Body).Decode(&nodes); err != nil {
		return 0, fmt.Errorf("find RabbitMQ: %w", err)
	}
	if len(nodes) != 1 {
		return 0, fmt.Errorf("find RabbitMQ: %d nodes, want 1", len(nodes))
	}
	return strconv.Atoi(nodes[0].PID)
}
