package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

func TestMailThatIsNotTakenInIsVisible(t *testing.T) {
	t.Parallel()
	database, db := schema(t)
	r := runs(t, map[string]string{"POSTRIDER_DATABASE_URL": database})
	execute(t, db, `ALTER TABLE messages RENAME TO elsewhere`)
	execute(t, db, `SELECT enqueue_email('{"from": "a@example.com", "to": "b@example.com", "text": "t"}')`)
	r.sees("intake", causeRefused, httpapi.CheckDegraded)
	execute(t, db, `ALTER TABLE elsewhere RENAME TO messages`)
	r.heals("intake")
	r.until("it is taken in", func() bool {
		var left int
		return db.QueryRow(`SELECT count(*) FROM intake`).Scan(&left) == nil && left == 0
	})
}

func TestWhatWaitsInTheIntake(t *testing.T) {
	for name, c := range map[string]struct {
		waiting message.Waiting
		err     error
		want    string
	}{
		"nothing":        {message.Waiting{}, nil, ""},
		"for a moment":   {message.Waiting{Rows: 1000, Oldest: 5 * time.Second}, nil, ""},
		"for long":       {message.Waiting{Rows: 1, Oldest: 31 * time.Second}, nil, causeWaiting},
		"cannot be told": {message.Waiting{}, errors.New("x"), causeUnreadable},
	} {
		f := intakeFault(c.waiting, c.err)
		if f == nil && c.want != "" || f != nil && (f.cause != c.want || f.status != httpapi.CheckDegraded) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// Whatever a caller has left there becomes a message, and none of it ends a line.
func TestEveryEnqueuedEmailIsRead(t *testing.T) {
	a := &assembly{accept: accept.New(nil, message.DefaultLimits(), nil, time.Now)}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	body := func(member string) string {
		return `{"from": "a@b.example", "to": "c@d.example", "text": "t"` + member + `}`
	}
	for email, fault := range map[string]string{
		body(``): "",
		body(`, "expires_at": "2020-01-01T00:00:01Z"`):                                         "", // judged by when it was enqueued
		body(`, "expires_at": "2019-12-31T23:59:59Z"`):                                         "/expires_at",
		body(`, "colour": 1`):                                                                  "/colour",
		body(`, "from": "x"`):                                                                  "twice", // jsonb has kept the last one only
		body(`, "cc": ["x\r\nRCPT TO:<evil@e.example>"]`):                                      "/cc/0",
		body(`, "subject": "x\r\nBcc: evil@e.example"`):                                        "/subject",
		body(`, "metadata": {"a": 1e999999}`):                                                  "/metadata/a",
		body(`, "tags": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200)):               "nested",
		body(`, "metadata": {` + strings.TrimSuffix(strings.Repeat(`"x": {},`, 3), ",") + `}`): "twice",
		body(`, "headers": {"Bcc": "x@y.example"}`):                                            "/headers/Bcc",
		body(`, "cc": [` + strings.TrimSuffix(strings.Repeat(`"x",`, 30_000), ",") + `]`):      "too many",
		`{"from": "a@b.example", "to": [` + strings.TrimSuffix(strings.Repeat(`"x@y.example",`, 51), ",") + `], "text": "t"}`: "51 recipients",
		body(`, "attachments": [{"path": "https://example.com/a"}]`):                                                          "/attachments/0/path",
		`{"template": {"id": "x"}, "to": "c@d.example"}`:                                                                      "/template",
		`[]`: "must be a JSON object",
		``:   "empty",
	} {
		r, err := a.readEnqueued(t.Context(), message.Enqueued{Email: []byte(email), At: at})
		if err != nil {
			t.Fatal(err)
		}
		if (r.Refused == nil) != (fault == "") || r.Refused != nil && !strings.Contains(r.Refused.Error(), fault) {
			t.Errorf("%.100s: refused with %.200v, want %q", email, r.Refused, fault)
		}
		if len(r.Message.Recipients()) == 0 || len(r.Message.Recipients()) > 150 || !r.Message.Lane.Valid() {
			t.Errorf("%.100s: %+v", email, r.Message)
		}
		for _, p := range r.Message.Recipients() {
			if strings.ContainsAny(p.Address, "\r\n\x00") || len(p.Address) > 260 {
				t.Errorf("%.100s: shown as %q", email, p.Address)
			}
		}
	}
}
