package test

import (
	"net/http"
	"testing"

	"github.com/resend/resend-go/v3"
)

// The SDKs learn that it is the server's fault and when to come again; and the request
// that they repeat then, with its idempotency key, is taken once.
func TestResendsSDKsMeetAServerInTrouble(t *testing.T) {
	t.Parallel()
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	s, cable := stackOnCable(t, setting{consumers: 1})
	c := s.broken()

	cable.set(true)
	s.nodeTells(fileHost{}, "trouble.mjs", "away")
	c.notTaken()
	_, err := c.Emails.Get(nobody)
	c.refused(err, "repeat the request")
	c.unavailable()

	cable.set(false)
	s.eventually("the API is back", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK
	})
	c.takenOnce()
}

// An SQLite file cannot be away from the process that has it open, but locked by another:
// then it can be read, and not be written.
func TestResendsSDKsMeetALockedFile(t *testing.T) {
	t.Parallel()
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	s := newStack(t, embedded, setting{})
	c := s.broken()

	db := s.openSQL(s.database)
	defer func() { _ = db.Close() }()
	other, err := db.Conn(t.Context())
	c.ok(err)
	_, err = other.ExecContext(t.Context(), "PRAGMA busy_timeout=60000; BEGIN IMMEDIATE")
	c.ok(err)
	s.nodeTells(fileHost{}, "trouble.mjs", "locked")
	c.notTaken()
	c.unavailable()
	_, err = c.Templates.List(nil)
	c.ok(err)
	c.notes.take()

	_, err = other.ExecContext(t.Context(), "ROLLBACK")
	c.ok(err)
	c.takenOnce()
}

// inTrouble is the SDK for Go and what it was answered.
type inTrouble struct {
	*goSDK
	notes *notes
}

// broken has the SDKs meet a server that lacks a table.
func (s *stack) broken() *inTrouble {
	s.Helper()
	client, notes := s.noting(apiKey)
	c := &inTrouble{&goSDK{TB: s.TB, stack: s, Client: client}, notes}
	s.execSQL(s.database, "ALTER TABLE templates RENAME TO elsewhere")
	s.nodeTells(fileHost{}, "trouble.mjs", "broken")
	_, err := c.Templates.List(nil)
	c.refused(err, "request_id")
	c.answered(notes, http.StatusInternalServerError)
	s.execSQL(s.database, "ALTER TABLE elsewhere RENAME TO templates")
	return c
}

func (c *inTrouble) once() (*resend.SendEmailResponse, error) {
	return c.Emails.SendWithOptions(c.Context(), letter(), &resend.SendEmailOptions{IdempotencyKey: "go-trouble"})
}

func (c *inTrouble) notTaken() {
	c.Helper()
	_, err := c.once()
	c.refused(err, "repeat the request, with the same Idempotency-Key")
	_, err = c.Batch.Send([]*resend.SendEmailRequest{letter()})
	c.refused(err, "repeat the request")
}

func (c *inTrouble) unavailable() {
	c.Helper()
	for _, n := range c.answered(c.notes, http.StatusServiceUnavailable) {
		if n.header.Get("Retry-After") == "" {
			c.Errorf("%s: no Retry-After", n.call)
		}
	}
}

func (c *inTrouble) takenOnce() {
	c.Helper()
	c.stack.nodeTells(fileHost{}, "trouble.mjs", "back")
	sent, err := c.once()
	c.ok(err)
	again, err := c.once()
	if c.ok(err); again.Id != sent.Id {
		c.Errorf("%s, then %s", sent.Id, again.Id)
	}
}

// answered holds the status of what was asked against what it must be: the SDK keeps
// neither that nor the headers in its errors.
func (c *goSDK) answered(notes *notes, status int) []note {
	c.Helper()
	list := notes.take()
	for _, n := range list {
		if n.status != status {
			c.Errorf("%s is answered with %d, want %d", n.call, n.status, status)
		}
	}
	return list
}
