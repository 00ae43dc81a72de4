package limit_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/smtptest"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/limit"
	"github.com/postrider/postrider/bench/result"
)

// parts are the services of the tests, and a sink.
func parts(t *testing.T) limit.Parts {
	t.Helper()
	where := job.Where{
		Database: os.Getenv("POSTRIDER_TEST_DATABASE_URL"),
		Broker:   os.Getenv("POSTRIDER_TEST_RABBITMQ_URL"),
		Sink:     smtptest.New(t, smtptest.Script{Forget: true}).Addr(),
		Dir:      t.TempDir(),
	}
	if where.Database == "" || where.Broker == "" {
		t.Fatal("POSTRIDER_TEST_DATABASE_URL or POSTRIDER_TEST_RABBITMQ_URL is not set: run `make services` and `. .services/env`")
	}
	return limit.Parts{Where: where, For: 50 * time.Millisecond}
}

func TestEachPartHasARate(t *testing.T) {
	p := parts(t)
	for _, part := range []struct {
		name    string
		measure func(context.Context, *result.Run, int) error
		rates   []string
	}{
		{"commits", p.Commits, []string{"commit-1", "commit-8", "commit-32"}},
		{"inserts", p.Inserts, []string{"insert-100"}},
		{"broker", p.Broker, []string{"publish-each", "publish", "consume-128"}},
		{"go-mail", p.GoMail, []string{"smtp-gomail-32"}},
		{"pipelined", p.Pipelined, []string{"smtp-pipelined-32"}},
		{"sync", p.Sync, []string{"fsync"}},
	} {
		t.Run(part.name, func(t *testing.T) {
			var run result.Run
			if err := part.measure(t.Context(), &run, 3); err != nil {
				t.Fatal(err)
			}
			if len(run.Samples) != len(part.rates) {
				t.Errorf("%d samples, want %d: %v", len(run.Samples), len(part.rates), run.Samples)
			}
			for _, name := range part.rates {
				perSecond := run.Values(result.Limit, name+"."+result.Rate)[3]
				if perSecond <= 0 {
					t.Errorf("%s: %v a second", name, perSecond)
				}
				t.Logf("%s: %.0f/s", name, perSecond)
			}
		})
	}
}

func TestFilesAreGoneAfterwards(t *testing.T) {
	p := parts(t)
	if err := p.Sync(t.Context(), &result.Run{}, 1); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(p.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestAPartThatFailsLeavesTheOthers(t *testing.T) {
	p := parts(t)
	p.Sink = "127.0.0.1:1"
	var run result.Run
	if err := p.Measure(t.Context(), &run, 1); err == nil {
		t.Error("no error without a sink")
	}
	if len(run.Values(result.Limit, "commit-8.rate")) == 0 || len(run.Values(result.Limit, "smtp-gomail-32.rate")) > 0 {
		t.Errorf("samples: %v", run.Samples)
	}
}
