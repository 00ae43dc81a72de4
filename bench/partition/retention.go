package partition

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	oldDays   = 30
	oldPerDay = 10_000
	batch     = 5_000 // messages that a transaction deletes
)

// retention measures how long it takes to be rid of old messages, and how much is
// written to the log for it.
func (e Experiment) retention(ctx context.Context, admin *pgx.Conn) (err error) {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%d old messages\tseconds\tlongest statement, ms\tWAL, MB\n", oldDays*oldPerDay)
	defer func() { err = errors.Join(err, w.Flush()) }()
	old := &clearing{Experiment: e, admin: admin, out: w}
	if err := old.ofPlain(ctx); err != nil {
		return err
	}
	return old.ofParted(ctx)
}

// clearing is the removal of what is old, in the schema that the connection is in.
type clearing struct {
	Experiment
	admin   *pgx.Conn
	out     *tabwriter.Writer
	longest time.Duration // that one statement took
}

// ofPlain deletes rows.
func (c *clearing) ofPlain(ctx context.Context) (err error) {
	s := newSchema("bench_plain_old")
	defer func() { err = errors.Join(err, s.drop(ctx, c.admin)) }()
	if err := s.create(ctx, c.admin, c.Database); err != nil {
		return err
	}
	if err := s.fill(ctx, c.admin, oldDays, oldPerDay); err != nil {
		return err
	}
	if err := c.take(ctx, "delete", c.deleteAll); err != nil {
		return err
	}
	return c.take(ctx, "vacuum", c.vacuum)
}

// ofParted drops partitions.
func (c *clearing) ofParted(ctx context.Context) (err error) {
	s := newSchema("bench_parted_old")
	defer func() { err = errors.Join(err, s.drop(ctx, c.admin)) }()
	if err := s.create(ctx, c.admin, c.Database); err != nil {
		return err
	}
	if err := s.part(ctx, c.admin, oldDays+ahead+1); err != nil {
		return err
	}
	if err := s.fill(ctx, c.admin, oldDays, oldPerDay); err != nil {
		return err
	}
	return c.take(ctx, "drop", c.dropAll)
}

// take notes what one way of it costs.
func (c *clearing) take(ctx context.Context, how string, do func(context.Context) error) error {
	c.longest = 0
	from, err := c.position(ctx)
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s: %w", how, err)
	}
	took := time.Since(begun)
	to, err := c.position(ctx)
	if err != nil {
		return err
	}
	written := float64(to-from) / 1e6
	c.note("partitions-retention."+how+".seconds", 1, took.Seconds())
	c.note("partitions-retention."+how+".wal-mb", 1, written)
	fmt.Fprintf(c.out, "%s\t%.2f\t%.0f\t%.1f\n", how, took.Seconds(), float64(c.longest.Microseconds())/1000, written)
	return nil
}

// position is how many bytes were ever written to the log.
func (c *clearing) position(ctx context.Context) (bytes int64, err error) {
	err = c.admin.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&bytes)
	return bytes, err
}

func (c *clearing) exec(ctx context.Context, sql string, args ...any) error {
	begun := time.Now()
	_, err := c.admin.Exec(ctx, sql, args...)
	c.longest = max(c.longest, time.Since(begun))
	return err
}

func (c *clearing) deleteAll(ctx context.Context) error {
	for from, end := firstID(oldDays), firstID(0); ; {
		var to uuid.UUID
		err := c.admin.QueryRow(ctx, `SELECT COALESCE(max(id::text), $2::text)::uuid FROM (
			SELECT id FROM messages WHERE id >= $1::uuid AND id < $2::uuid ORDER BY id LIMIT $3) AS next`, from, end, batch).Scan(&to)
		if err != nil || to == end {
			return err
		}
		if err := pgx.BeginFunc(ctx, c.admin, func(pgx.Tx) error { return c.deleteUpTo(ctx, to) }); err != nil {
			return err
		}
		from = to
	}
}

// deleteUpTo deletes all messages up to an id.
func (c *clearing) deleteUpTo(ctx context.Context, to uuid.UUID) error {
	for _, where := range []string{"attachments WHERE message_id", "attempts WHERE message_id", "deliveries WHERE message_id", "messages WHERE id"} {
		if err := c.exec(ctx, "DELETE FROM "+where+" BETWEEN $1 AND $2", firstID(oldDays), to); err != nil {
			return err
		}
	}
	return nil
}

// vacuum is what deleted rows cost later.
func (c *clearing) vacuum(ctx context.Context) error {
	return c.exec(ctx, "VACUUM messages, deliveries, attempts")
}

func (c *clearing) dropAll(ctx context.Context) error {
	for back := oldDays; back > 0; back-- {
		if err := c.exec(ctx, "DELETE FROM attachments WHERE message_id BETWEEN $1 AND $2", firstID(back), firstID(back-1)); err != nil {
			return err
		}
		for _, k := range keys() {
			if err := c.exec(ctx, fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", k.table, partition(k.table, back))); err != nil {
				return err
			}
			if err := c.exec(ctx, "DROP TABLE "+partition(k.table, back)); err != nil {
				return err
			}
		}
	}
	return nil
}
