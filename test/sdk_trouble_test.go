package test

import (
	"net/http"
	"testing"

	"github.com/resend/resend-go/v3"
)

// The SDKs learn that it is the server's fault and when to come again; and the request
// that they repeat then, with its idempotency key, is taken once. On Postgres: an SQLite
// file cannot be away from the process that holds it.
func TestResendsSDKsMeetAServerInTrouble(t *testing.T) {
	t.Parallel()
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	s, cable := stackOnCable(t, setting{consumers: 1})
	client, notes := s.noting(apiKey)
	c := &goSDK{TB: t, stack: s, Client: client}

	s.execSQL(s.database, "ALTER TABLE templates RENAME TO elsewhere")
	s.nodeTells(fileHost{}, "trouble.mjs", "broken")
	_, err := c.Templates.List(nil)
	c.refused(err, "request_id")
	c.answered(notes, http.StatusInternalServerError)
	s.execSQL(s.database, "ALTER TABLE elsewhere RENAME TO templates")

	cable.set(true)
	s.nodeTells(fileHost{}, "trouble.mjs", "away")
	once := func() (*resend.SendEmailResponse, error) {
		return c.Emails.SendWithOptions(t.Context(), letter(), &resend.SendEmailOptions{IdempotencyKey: "go-trouble"})
	}
	_, err = once()
	c.refused(err, "repeat the request, with the same Idempotency-Key")
	_, err = c.Batch.Send([]*resend.SendEmailRequest{letter()})
	c.refused(err, "repeat the request")
	_, err = c.Emails.Get(nobody)
	c.refused(err, "repeat the request")
	for _, n := range c.answered(notes, http.StatusServiceUnavailable) {
		if n.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", n.call)
		}
	}

	cable.set(false)
	s.eventually("the API is back", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK
	})
	s.nodeTells(fileHost{}, "trouble.mjs", "back")
	sent, err := once()
	c.ok(err)
	again, err := once()
	if c.ok(err); again.Id != sent.Id {
		t.Errorf("%s, then %s", sent.Id, again.Id)
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
