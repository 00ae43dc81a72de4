package witness_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
	"github.com/postrider/postrider/test/check/witness"
)

func TestCopiesAreWhatTheRelayHostHas(t *testing.T) {
	srv := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{
		{At: smtptest.Dot, Match: "refused@", Reply: "550 no"},
		{At: smtptest.Dot, Match: "untold@", End: smtptest.Drop},
	}})
	for _, to := range []string{"taken@x.example", "refused@x.example", "untold@x.example"} {
		_ = smtp.SendMail(srv.Addr(), nil, "from@x.example", []string{to}, []byte("Message-ID: <id@x.example>\r\n\r\nhello\r\n"))
	}
	copies := witness.Copies(srv.Transactions())
	if len(copies) != 2 {
		t.Fatalf("%d copies: %+v", len(copies), copies)
	}
	for i, told := range []bool{true, false} {
		c := copies[i]
		if c.Told != told || c.Message != "id" || c.MessageID != "id@x.example" || c.At.IsZero() {
			t.Errorf("%+v", c)
		}
	}
	if copies[0].Recipient != "taken@x.example" || !bytes.Equal(copies[0].Hash[:], copies[1].Hash[:]) {
		t.Errorf("%+v", copies)
	}
}

func TestQueuesAndProcessesAreRead(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":"not ready"}`))
			return
		}
		_, _ = w.Write([]byte(`[{"name":"p.email.low","messages_ready":2,"messages_unacknowledged":1},
			{"name":"p.dead","messages_ready":3,"messages_unacknowledged":0},{"name":"other.dead"},{"name":"p.new"}]`))
	}))
	defer srv.Close()
	queues, err := witness.Queues(t.Context(), srv.URL, "p")
	want := []check.Queue{{Name: "p.email.low", Ready: 2, Unacked: 1}, {Name: "p.dead", Ready: 3, Notices: true}, {Name: "p.new"}}
	if err != nil || !slices.Equal(queues, want) {
		t.Errorf("%+v %v", queues, err)
	}
	if p := witness.Process(t.Context(), "consumer", srv.URL); p.State != "not ready" || p.Name != "consumer" {
		t.Errorf("%+v", p)
	}
	srv.Close()
	if p := witness.Process(t.Context(), "consumer", srv.URL); p.State != "" {
		t.Errorf("gone, and %+v", p)
	}
}

func TestTablesAreReadAsTheyAre(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	seed(t, file)
	db, err := witness.Open("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var e check.Evidence
	if err := witness.Tables(t.Context(), db, &e); err != nil {
		t.Fatal(err)
	}
	want := []check.Row{
		{Message: "a", Address: "ann", OnUnknown: "resend", Status: "sending", LeaseUntil: time.UnixMilli(5000)},
		{Message: "b", N: 1, Address: "bob", OnUnknown: "hold", Status: "queued", UnknownOutcomes: 1, Interrupted: 2, Attempts: 3, NextAttempt: time.UnixMilli(1 << 50)},
		{Message: "c", Address: "cas", OnUnknown: "resend", Status: "failed", Reason: "rejected"},
	}
	if !slices.Equal(e.Rows, want) || len(e.Keys) != 1 || e.Keys["k"] != "a" || e.Taken.IsZero() {
		t.Errorf("%+v", e)
	}
	if n, err := witness.Unfinished(t.Context(), db); n != 1 || err != nil {
		t.Errorf("%d open, %v", n, err)
	}
}
