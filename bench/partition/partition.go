// Package partition measures what it would cost and save to keep messages, deliveries
// and attempts in a partition for each day.
package partition

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/bench/measure"
)

// System is what the samples are of: the product's store, without its programs.
const System = "postrider-store"

// Experiment compares plain tables with partitioned ones. Both hold the same rows.
type Experiment struct {
	Bench    *measure.Bench
	Database string    // URL
	Out      io.Writer // for the tables
	Rounds   int
}

// Measure runs all of it and writes the tables.
func (e Experiment) Measure(ctx context.Context) error {
	admin, err := pgx.Connect(ctx, e.Database)
	if err != nil {
		return fmt.Errorf("partitions: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	for _, days := range []int{8, 31} {
		if err := e.pair(ctx, admin, days); err != nil {
			return fmt.Errorf("partitions, %d: %w", days, err)
		}
	}
	if err := e.retention(ctx, admin); err != nil {
		return fmt.Errorf("partitions, retention: %w", err)
	}
	return nil
}

// pair measures both kinds of tables with so many days.
func (e Experiment) pair(ctx context.Context, admin *pgx.Conn, days int) (err error) {
	plain := newSchema(fmt.Sprintf("bench_plain_%d", days))
	parted := newSchema(fmt.Sprintf("bench_parted_%d", days))
	defer func() { err = errors.Join(err, plain.drop(ctx, admin), parted.drop(ctx, admin)) }()
	if err := plain.create(ctx, admin, e.Database); err != nil {
		return err
	}
	if err := parted.create(ctx, admin, e.Database); err != nil {
		return err
	}
	if err := parted.part(ctx, admin, days); err != nil {
		return err
	}
	for _, s := range []*schema{plain, parted} {
		if err := s.fill(ctx, admin, days-ahead-1, rowsPerDay); err != nil {
			return err
		}
	}
	return e.rounds(ctx, days, plain, parted)
}
