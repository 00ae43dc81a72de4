package partition

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

const (
	day        = 24 * time.Hour
	ahead      = 1     // partitions of days to come: tomorrow's mails must find theirs
	rowsPerDay = 2_000 // finished messages in each day before today
)

// schema is a copy of the product's tables and a store on them.
type schema struct {
	name  string
	store *store.Store
}

func newSchema(name string) *schema { return &schema{name: name} }

// create makes the tables by the product's own migrations.
func (s *schema) create(ctx context.Context, admin *pgx.Conn, database string) error {
	if _, err := admin.Exec(ctx, "DROP SCHEMA IF EXISTS "+s.name+" CASCADE; CREATE SCHEMA "+s.name); err != nil {
		return fmt.Errorf("create %s: %w", s.name, err)
	}
	u, err := url.Parse(database)
	if err != nil {
		return errors.New("the database's URL cannot be read")
	}
	query := u.Query()
	query.Set("search_path", s.name)
	u.RawQuery = query.Encode()
	s.store, err = store.Open(ctx, store.Config{URL: u.String(), Worker: message.Process{ID: uuid.New()}})
	if err != nil {
		return fmt.Errorf("create %s: %w", s.name, err)
	}
	if err := s.store.Migrate(ctx); err != nil {
		return fmt.Errorf("create %s: %w", s.name, err)
	}
	return nil
}

func (s *schema) drop(ctx context.Context, admin *pgx.Conn) error {
	var closed error
	if s.store != nil {
		closed = s.store.Close()
	}
	_, err := admin.Exec(context.WithoutCancel(ctx), "DROP SCHEMA IF EXISTS "+s.name+" CASCADE")
	return errors.Join(closed, err)
}

// key is a table that is partitioned and the column it is partitioned by.
type key struct{ table, column string }

func keys() []key {
	return []key{{"messages", "id"}, {"deliveries", "message_id"}, {"attempts", "message_id"}}
}

// part makes the three tables anew with the same columns, checks and indexes, and a
// partition for each of so many days, the last of which is tomorrow.
func (s *schema) part(ctx context.Context, admin *pgx.Conn, days int) error {
	sql := "SET search_path TO " + s.name + ";"
	for _, k := range keys() {
		sql += fmt.Sprintf(`ALTER TABLE %[1]s RENAME TO %[1]s_old;
			CREATE TABLE %[1]s (LIKE %[1]s_old INCLUDING ALL) PARTITION BY RANGE (%[2]s);
			DROP TABLE %[1]s_old;`, k.table, k.column)
		for i := range days {
			back := days - ahead - 1 - i
			sql += fmt.Sprintf("CREATE TABLE %s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s');",
				partition(k.table, back), k.table, firstID(back), firstID(back-1))
		}
	}
	if _, err := admin.Exec(ctx, sql+"RESET search_path"); err != nil {
		return fmt.Errorf("partition %s: %w", s.name, err)
	}
	return nil
}

// partition is the name of the one of so many days ago; tomorrow is -1.
func partition(table string, back int) string { return fmt.Sprintf("%s_%02d", table, back+ahead) }

// midnight began the day of so many days ago.
func midnight(back int) time.Time {
	return time.Now().UTC().Truncate(day).Add(-time.Duration(back) * day)
}

// firstID is below all version 7 ids of that day and above those of the day before.
func firstID(back int) uuid.UUID {
	var id uuid.UUID
	for i, ms := 0, midnight(back).UnixMilli(); i < 6; i++ {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}
