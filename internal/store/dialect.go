package store

import (
	"context"
	"database/sql"
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
	haste      string // run first in a transaction that is to wait for no lock for long; "": nothing
	brisk      string // ends the condition of the rows that a statement inserts: from there on its transaction waits for no lock for long; "": nothing
	epoch      string // an expression that changes when the database was restarted
	hasTable   string // asks whether the table $1 exists
	traces     string // begins the call that finds, from 1, a text in a message's head whose ASCII letters are in lower case

	list      func(l list, rows [][]any) (table string, args []any)       // writes the table expression v for some of a list's rows
	begin     func(context.Context, *sql.Conn, bool) (transaction, error) // a read-only one sees one state
	alone     func(*sql.Conn) transaction                                 // every run is a transaction of its own
	goose     goose.Dialect
	migrating func() (*sql.DB, func() error, error)                          // a handle to migrate on, and what ends its use
	locked    func(context.Context, *sql.DB) ([]goose.ProviderOption, error) // keeps migrations apart
	transient func(error) bool                                               // the transaction was rolled back and may be repeated
	away      func(error) bool                                               // the database cannot serve now
	blocked   func(error) bool                                               // a lock was waited for in vain: the transaction was rolled back
	refused   func(error) bool                                               // a statement is not taken, whatever rows there are: a table, a column or a right is missing
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

// handles are the connections to one database. Writer and reader are the same
// where the engine lets many write at once.
type handles struct {
	writer, reader *sql.DB
	bells          bells
	reconnect      func() // replaces every connection, those in use once they are free
	close          func() error
}
