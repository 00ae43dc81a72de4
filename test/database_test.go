package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// stackOnCable is a distributed stack whose connections to Postgres the story
// can cut.
func stackOnCable(t testing.TB, set setting) (*stack, *cable) {
	t.Helper()
	u, err := url.Parse(service(t, "POSTRIDER_TEST_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	c := newCable(t, u.Host)
	set.cable = c
	return newStack(t, distributed, set), c
}

func TestWithoutADatabaseNothingIsAcceptedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	s, cable := stackOnCable(t, setting{consumers: 1})
	before := s.post(mail("before@example.com"))
	s.await(before, message.StatusSent)
	cable.set(true)
	res, err := s.request(http.MethodPost, "/v1/emails", "", []byte(`{"from":"a@b.example","to":"c@d.example","text":"x"}`))
	if err != nil || res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") == "" {
		t.Errorf("without a database: %d %v, Retry-After %q", res.status, err, res.header.Get("Retry-After"))
	}
	s.eventually("the producer says that it is not ready", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusServiceUnavailable && strings.Contains(string(res.body), "database")
	})
	cable.set(false)
	s.eventually("the producer is ready again by itself", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK
	})
	s.await(s.post(mail("after@example.com")), message.StatusSent)
}

// The relay host has said 250 and the worker cannot write it down: it keeps the
// outcome until it can, and nothing is sent again.
func TestADatabaseAwayAtThe250SendsNothingTwice(t *testing.T) {
	t.Parallel()
	var f fuse
	rule := smtptest.Rule{At: smtptest.Dot, Do: f.blow}
	s, cable := stackOnCable(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{rule}}, consumers: 2})
	cut := make(chan struct{})
	f.set(func() { cable.set(true); close(cut) })
	id := s.post(mail("ann@example.com"))
	<-cut
	if err := s.relay.AwaitMails(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.eventually("a worker holds its outcome", func() bool {
		return strings.Contains(s.workers[0].out.String()+s.workers[1].out.String(), "record sent")
	})
	cable.set(false)
	s.eventually("the API is back", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && res.status == http.StatusOK
	})
	sentOnce(s, id)
}
