package postrider

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postrider/postrider/internal/exchange"
)

// Querier is what Enqueue needs of a database: pgx.Tx, *pgx.Conn and *pgxpool.Pool
// have it.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// The reasons why an email is not enqueued. Find them with errors.Is; the error holds
// the database's *pgconn.PgError too, which says more, unless the database was not
// even asked. As after any error of its, Postgres
// takes nothing more in that transaction: it can only be rolled back, wholly or to a
// savepoint.
var (
	// ErrInvalid: what was passed cannot be an email, or is too large.
	ErrInvalid = errors.New("not an email that Postrider takes")
	// ErrKeyUsed: the idempotency key stands for another email.
	ErrKeyUsed = errors.New("the idempotency key was used for another email")
	// ErrNoTenant: there is no tenant of this name.
	ErrNoTenant = errors.New("no such tenant")
	// ErrNotAllowed: this login may not enqueue; it needs the role postrider_enqueue.
	ErrNotAllowed = errors.New("not allowed to enqueue")
	// ErrNotInstalled: the database has no such function; Postrider's migrations make it.
	ErrNotInstalled = errors.New("this database has no Postrider, or an older one")
)

// Enqueue leaves an email within the caller's transaction and returns the id of the
// message that it becomes. With the commit it is Postrider's to deliver; rolled back
// it was never there. Producers are woken by the commit, and from when one has taken
// the email in, Client.Get finds the message.
//
// The database is asked for no more than the shape of the email. An address that is
// none, for example, is no error here: the message then fails with the reason invalid.
//
// The error is one of ErrInvalid, ErrKeyUsed, ErrNoTenant, ErrNotAllowed and
// ErrNotInstalled, or another of the database.
func Enqueue(ctx context.Context, tx Querier, e Email) (id string, err error) {
	return Enqueuer{}.Enqueue(ctx, tx, e)
}

// Enqueuer is for installations and tenants that are not the usual ones. The zero
// value is what Enqueue uses.
type Enqueuer struct {
	// Schema is where the functions stand; "": postrider.
	Schema string
	// Tenant owns the message; "": the tenant default. For another one the login needs
	// the right to execute enqueue_email_for.
	Tenant string
}

// Enqueue is the function of that name, for another installation or tenant.
func (q Enqueuer) Enqueue(ctx context.Context, tx Querier, e Email) (id string, err error) {
	body, err := exchange.Body(e)
	if err != nil {
		return "", fmt.Errorf("enqueue: %w: %w", ErrInvalid, err)
	}
	var key *string
	if e.IdempotencyKey != "" {
		key = &e.IdempotencyKey
	}
	call, args := `enqueue_email`, []any{string(body), key}
	if q.Tenant != "" {
		call, args = `enqueue_email_for`, append(args, q.Tenant)
	}
	err = tx.QueryRow(ctx, q.statement(call), args...).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("enqueue: %w", reason(err))
	}
	return id, nil
}

// statement names the arguments: their order is not the functions'.
func (q Enqueuer) statement(function string) string {
	schema := q.Schema
	if schema == "" {
		schema = "postrider"
	}
	named := `email => $1::jsonb, idempotency_key => $2::text`
	if q.Tenant != "" {
		named += `, tenant => $3::text`
	}
	return `SELECT ` + pgx.Identifier{schema, function}.Sanitize() + `(` + named + `)::text`
}

// reason adds to an error of the database what it means here.
func reason(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	for meaning, states := range map[error][]string{
		ErrInvalid:      {"22023", "54000", "54001", "22P02", "22P05"},
		ErrKeyUsed:      {"23505"},
		ErrNoTenant:     {"42704"},
		ErrNotAllowed:   {"42501"},
		ErrNotInstalled: {"42883", "3F000"},
	} {
		for _, state := range states {
			if refused.Code == state {
				return fmt.Errorf("%w: %w", meaning, err)
			}
		}
	}
	return err
}
