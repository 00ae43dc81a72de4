package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

const (
	testKey = "0123456789abcdef"
	testID  = "01990000-0000-7000-8000-000000000001"
)

// server takes posts as the real one does, with its decoder, its validator and
// its answers, and shows a message as the test tells it to.
type server struct {
	*httptest.Server
	posted  []*message.Message
	bodies  []string
	keys    []string
	refuse  []int               // statuses to refuse the next requests with
	views   []func() wire.Email // what each look at the message shows; the last for ever
	queries []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/emails", s.post)
	mux.HandleFunc("GET /v1/emails/"+testID, s.look)
	mux.HandleFunc("GET /v1/emails", s.list)
	mux.HandleFunc("GET /v1/emails.csv", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "id,recipient\r\n") })
	mux.HandleFunc("GET /v1/emails/"+testID+"/content", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Subject: Hello\r\n\r\n") })
	mux.HandleFunc("GET /v1/emails/"+testID+"/events", s.events)
	mux.HandleFunc("POST /v1/emails/"+testID+"/{step}", s.change)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ready") })
	s.Server = httptest.NewServer(s.guard(mux))
	t.Cleanup(s.Close)
	t.Setenv("POSTRIDER_URL", s.URL)
	t.Setenv("POSTRIDER_API_KEY", testKey)
	return s
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refusal(w http.ResponseWriter, status int, code message.Code, fields ...message.FieldError) {
	answer(w, status, map[string]any{"status": status, "code": code, "detail": "told by the test", "errors": fields})
}

func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.queries = append(s.queries, r.Method+" "+r.RequestURI)
		switch {
		case len(s.refuse) > 0:
			status := s.refuse[0]
			s.refuse = s.refuse[1:]
			refusal(w, status, "unavailable")
		case r.Header.Get("Authorization") != "Bearer "+testKey && r.URL.Path != "/readyz":
			refusal(w, http.StatusForbidden, "invalid_api_key")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	s.bodies, s.keys = append(s.bodies, body.String()), append(s.keys, r.Header.Get("Idempotency-Key"))
	draft, _, err := wire.ReadEmail(&body, message.DefaultLimits(), time.Now())
	if err == nil {
		var m *message.Message
		if m, err = message.DefaultLimits().Validate(draft, time.Now()); err == nil {
			if r.URL.Query().Get("dry_run") == "true" {
				answer(w, http.StatusOK, wire.NewDryRun(m, draft, wire.Preview{Size: 30, Start: "Subject: \x1b[2J\r\n\r\nHi.\r\n"}))
				return
			}
			s.posted = append(s.posted, m)
			answer(w, http.StatusAccepted, wire.Receipt{Object: "email", ID: testID, Status: message.StatusQueued})
			return
		}
	}
	e := &message.Error{Code: "internal_error"}
	errors.As(err, &e)
	refusal(w, http.StatusUnprocessableEntity, e.Code, e.Fields...)
}

func (s *server) look(w http.ResponseWriter, _ *http.Request) {
	view := s.views[0]
	if len(s.views) > 1 {
		s.views = s.views[1:]
	}
	answer(w, http.StatusOK, view())
}

func (s *server) events(w http.ResponseWriter, _ *http.Request) {
	v := viewOf(recipient{"ann@example.net", message.StatusSent, ""}, recipient{"bob@example.net", message.StatusFailed, message.ReasonRejected})
	answer(w, http.StatusOK, wire.NewEvents(&v))
}

// list has one message a page, and after it an empty one that is not the last.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	next := uuid.MustParse("01990000-0000-7000-8000-000000000000")
	if q := r.URL.Query(); q.Get("after") == testID && q.Get("tag") != "" {
		answer(w, http.StatusOK, wire.NewList(&message.Page{HasMore: true, Next: next}))
		return
	}
	v := viewOf(recipient{"ann@example.net", message.StatusSent, ""}, recipient{"bob@example.net", message.StatusFailed, message.ReasonRejected})
	v.Message.Head.Subject = "Order \x1b[2J" + strings.Repeat("long ", 20)
	answer(w, http.StatusOK, wire.NewList(&message.Page{Views: []message.View{v}, HasMore: r.URL.Query().Get("after") != next.String(), Next: v.Message.ID}))
}

func (s *server) change(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("step") == "cancel" {
		refusal(w, http.StatusConflict, message.CodeNotCancelable)
		return
	}
	answer(w, http.StatusOK, map[string]int{"recipients": 1})
}

// recipient is one line of a message as a test tells it.
type recipient struct {
	address string
	status  message.Status
	reason  message.Reason
}

func viewOf(recipients ...recipient) message.View {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	v := message.View{Now: now, Message: message.Message{
		ID: uuid.MustParse(testID), Lane: message.LaneNormal, OnUnknown: message.Resend, CreatedAt: now,
		Head: message.Head{From: message.Address{Email: "shop@example.com"}, Subject: "Your order"},
	}}
	for n, r := range recipients {
		key := message.Key{MessageID: v.Message.ID, N: int16(n)}
		v.Message.Head.To = append(v.Message.Head.To, message.Address{Email: r.address})
		d := message.Delivery{Key: key, Address: r.address, Role: message.RoleTo, Status: r.status, Reason: r.reason}
		switch r.status {
		case message.StatusDelayed:
			d.Status, d.Claim, d.Attempts, d.NextAttemptAt = message.StatusQueued, 1, 1, now.Add(time.Minute)
			v.Attempts = append(v.Attempts, attempt(n, message.OutcomeRetry, 451, "4.3.0", "Try again later"))
		case message.StatusSent:
			v.Attempts = append(v.Attempts, attempt(n, message.OutcomeSent, 250, "2.0.0", "Ok: queued as A1"))
		case message.StatusFailed:
			v.Attempts = append(v.Attempts, attempt(n, message.OutcomeFailed, 550, "5.1.1", "No such \x1b[31muser"))
		default:
		}
		v.Deliveries = append(v.Deliveries, d)
	}
	return v
}

func attempt(n int, outcome message.OutcomeKind, code int, enhanced, detail string) message.Attempt {
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return message.Attempt{
		N: int16(n), Claim: 1, StartedAt: start, FinishedAt: start.Add(120 * time.Millisecond), RelayHost: "mail.example.com:587",
		Outcome: outcome, Code: code, Enhanced: enhanced, Detail: detail,
	}
}

func shows(recipients ...recipient) func() wire.Email {
	return func() wire.Email {
		v := viewOf(recipients...)
		return wire.NewEmail(&v)
	}
}

// outcome is what a run of the tool left behind.
type outcome struct {
	code     int
	out, err string
}

// tool runs the command line with the given standard input.
func tool(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return toolWithin(t.Context(), stdin, args...)
}

func toolWithin(ctx context.Context, stdin string, args ...string) outcome {
	var out, errs bytes.Buffer
	code := run(ctx, args, &terminal{in: strings.NewReader(stdin), out: &out, err: &errs})
	return outcome{code: code, out: out.String(), err: errs.String()}
}

// expect holds a run against a code and pieces of what it printed.
func (o outcome) expect(t *testing.T, code int, pieces ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, piece := range pieces {
		if !strings.Contains(o.out+o.err, piece) {
			t.Errorf("%q was not printed", piece)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", o.out, o.err)
	}
}
