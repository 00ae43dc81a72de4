package tap_test

import (
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/test/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service returns the test service's URL, which `make services` provides.
func service(t *testing.T, name string) *url.URL {
	t.Helper()
	u, err := url.Parse(os.Getenv(name))
	if err != nil || u.Host == "" {
		t.Fatalf("%s is not set: run `make services` and `. .services/env`, or `make test`", name)
	}
	return u
}

// through starts a proxy to a service; the URL goes through it.
func through(t *testing.T, name string, begin func(string) (*tap.Proxy, error)) (*tap.Proxy, string) {
	t.Helper()
	u := service(t, name)
	p, err := begin(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	raw, err := p.Through(u.String())
	if err != nil {
		t.Fatal(err)
	}
	return p, raw
}

// patience is how long a test waits for what must happen. Reaching it is a failure.
const patience = 2 * time.Minute

// soon ends when the patience is over.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// note remembers the events of a rule.
func note(events chan tap.Event) func(tap.Event) { return func(e tap.Event) { events <- e } }
