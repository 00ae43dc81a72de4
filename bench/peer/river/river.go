// Package river is River, a job queue in Postgres, as a peer.
package river

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/post"
)

const schema = "bench_river"

// callers is how many insert at once; more wait for a connection.
const callers = 64

// System is River under test. It implements job.System.
type System struct {
	*child.Crew
	where  job.Where
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// New returns a River that has no tables yet, of either configuration: they differ in
// their workers.
func New(name string, where job.Where) *System {
	return &System{Crew: child.NewCrew(name, where, job.Postgres), where: where}
}

// Prepare implements job.System.
func (s *System) Prepare(ctx context.Context) (err error) {
	if s.pool, err = connect(ctx, s.where.Database, callers); err != nil {
		return err
	}
	if err := s.drop(ctx); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return fmt.Errorf("create River's schema: %w", err)
	}
	driver := riverpgxv5.New(s.pool)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Schema: schema})
	if err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River: %w", err)
	}
	s.client, err = river.NewClient(driver, &river.Config{Schema: schema})
	return err
}

func connect(ctx context.Context, url string, most int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	config.MaxConns = most
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	return pool, nil
}

// Accept implements job.System.
func (s *System) Accept(ctx context.Context, m job.Mail) error {
	_, err := s.client.Insert(ctx, mailArgs{post.Of(m)}, nil)
	return err
}

// Open implements job.System. The states are named, since those that River has finished
// with stay in the table and an index finds the others.
func (s *System) Open(ctx context.Context) (int, error) {
	var open int
	err := s.pool.QueryRow(ctx, "SELECT count(*) FROM "+schema+".river_job WHERE state IN"+
		" ('available', 'running', 'retryable', 'scheduled', 'pending', 'cancelled', 'discarded')").Scan(&open)
	if err != nil {
		return 0, fmt.Errorf("count open jobs: %w", err)
	}
	_, err = s.Delivered(ctx) // fails where the worker has fallen
	return open, err
}

// Close implements job.System.
func (s *System) Close(ctx context.Context) error {
	s.Dismiss()
	if s.pool == nil {
		return nil
	}
	defer s.pool.Close()
	return s.drop(ctx)
}

func (s *System) drop(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
		return fmt.Errorf("drop River's schema: %w", err)
	}
	return nil
}
