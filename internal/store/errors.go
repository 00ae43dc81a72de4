package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/postrider/postrider/internal/message"
)

// fail names the operation and tells an absent database from a broken request.
// It goes by types and codes, never by text.
func (s *Store) fail(op string, err error) error {
	var refused *message.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused), errors.Is(err, message.ErrNotFound):
		return err
	case s.closed.Load(), absent(err), s.away(err), s.passing(err), errors.As(err, new(*connectError)):
		return fmt.Errorf("%s: database %w: %w", op, message.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// absent finds the failures that any engine can have on the way.
func absent(err error) bool {
	var network net.Error
	for _, e := range []error{
		context.Canceled, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, &network)
}

// connectError: no connection could be had, so that nothing was asked.
type connectError struct{ err error }

func (e *connectError) Error() string { return "no connection: " + e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// errKeyVanished: a key was there when it was to be taken and gone when it was
// to be read, because it expired in between. The next try takes it.
var errKeyVanished = errors.New("idempotency key expired meanwhile")

// errAliasVanished: an alias was another template's when it was to be taken, and nobody's
// when its owner was to be read. The next try takes it.
var errAliasVanished = errors.New("alias was given up meanwhile")

// errClosed: the store was closed.
var errClosed = errors.New("store closed")

func isUnavailable(err error) bool { return errors.Is(err, message.ErrUnavailable) }
