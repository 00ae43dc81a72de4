package witness

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check"
)

// Open opens the database of a POSTRIDER_DATABASE_URL for reading beside the
// programs that use it.
func Open(databaseURL string) (*sql.DB, error) {
	file, embedded := strings.CutPrefix(databaseURL, "sqlite:")
	if !embedded {
		return sql.Open("pgx", databaseURL)
	}
	query := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(20000)"}}
	return sql.Open("sqlite", "file:"+file+"?"+query.Encode())
}

// Tables reads what the tables hold into the evidence: Rows, Keys and Taken.
func Tables(ctx context.Context, db *sql.DB, e *check.Evidence) error {
	taken := time.Now()
	rows, err := deliveries(ctx, db)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	keys, err := keys(ctx, db)
	if err != nil {
		return fmt.Errorf("read idempotency keys: %w", err)
	}
	e.Rows, e.Keys, e.Taken = rows, keys, taken
	return nil
}

func deliveries(ctx context.Context, db *sql.DB) ([]check.Row, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT CAST(message_id AS TEXT), n, address, on_unknown, status, reason,
		       unknown_outcomes, interrupted, attempts, lease_until, next_attempt_at
		FROM deliveries`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []check.Row
	for rows.Next() {
		var r check.Row
		var lease, next sql.NullInt64
		if err := rows.Scan(&r.Message, &r.N, &r.Address, &r.OnUnknown, &r.Status, &r.Reason,
			&r.UnknownOutcomes, &r.Interrupted, &r.Attempts, &lease, &next); err != nil {
			return nil, err
		}
		r.LeaseUntil, r.NextAttempt = moment(lease), moment(next)
		list = append(list, r)
	}
	return list, rows.Err()
}

func moment(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}

func keys(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT key, CAST(message_id AS TEXT) FROM idempotency`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := map[string]string{}
	for rows.Next() {
		var key, id string
		if err := rows.Scan(&key, &id); err != nil {
			return nil, err
		}
		found[key] = id
	}
	return found, rows.Err()
}

// Unfinished counts the deliveries that are queued with their time come, or in
// somebody's hands: cheaper than Tables while a run comes to rest.
func Unfinished(ctx context.Context, db *sql.DB) (int, error) {
	var n int
	err := db.QueryRowContext(ctx, `
		SELECT count(*) FROM deliveries
		WHERE status = $1 OR status = $2 AND (next_attempt_at IS NULL OR next_attempt_at <= $3)`,
		string(message.StatusSending), string(message.StatusQueued), time.Now().UnixMilli()).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count open deliveries: %w", err)
	}
	return n, nil
}
