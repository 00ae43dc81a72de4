package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// dialect is what truly differs between the two engines; every statement is
// otherwise one text for both.
type dialect struct {
	engine string

	now        string // the database's time in milliseconds, one value per statement
	skipLocked string // appended to a SELECT: lock its rows, pass over locked ones
	lockRows   string // appended to a SELECT: lock its rows; "": writers are alone anyway
	relayGuard string // run first in the relay's transaction; "": nothing
	sweepGuard string // run first in a sweep of leases; fails where deliveries cannot be changed; "": nothing
	epoch      string // an expression that changes when the database was restarted
	hasTable   string // asks whether the table $1 exists
	casts      map[kind]string
	unnumbered bool // members of lists are bound in order

	isolation sql.IsolationLevel // of reads that must see one state

	goose     goose.Dialect
	migrating func() (*sql.DB, func() error, error)                          // a handle to migrate on, and what ends its use
	locked    func(context.Context, *sql.DB) ([]goose.ProviderOption, error) // keeps migrations apart
	transient func(error) bool                                               // the transaction was rolled back and may be repeated
	away      func(error) bool                                               // the database cannot serve now
	moved     func(error) bool                                               // the server is not, or no longer, the one that writes
	unreached func(error) error                                              // names the reason why there is no connection
	patience  time.Duration                                                  // with which a connection is waited for
}

// kind is the type of a column in a list of values.
type kind int

const (
	kindUUID kind = iota
	kindInt
	kindText
	kindBytes
)

// param writes the placeholder of a member of a list. Postgres has to be told
// its type, since nothing else in a list of values does. SQLite looks up every
// numbered parameter among all others, so that its time would grow with the
// square of the list: there it has no number.
func (d *dialect) param(b *strings.Builder, k kind, ordinal int) {
	if d.unnumbered {
		b.WriteByte('?')
		return
	}
	b.WriteByte('$')
	b.WriteString(strconv.Itoa(ordinal))
	b.WriteString(d.casts[k])
}

// handles are the connections to one database. Writer and reader are the same
// where the engine lets many write at once.
type handles struct {
	writer, reader *sql.DB
	bells          bells
	reconnect      func() // replaces every connection, those in use once they are free
	close          func() error
}
