package peer_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/internal/smtptest"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer"
	"github.com/postrider/postrider/bench/peer/child"
)

// TestMain lets a peer start this very program again as its worker, as the bench does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == child.Command {
		if err := peer.Main(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	mails   = 200
	callers = 8
)

func TestEveryPeerDeliversEachMailOnce(t *testing.T) {
	for _, name := range peer.Names() {
		t.Run(name, func(t *testing.T) {
			needPostfix(t, name)
			sink := smtptest.New(t, smtptest.Script{Forget: true})
			s := prepared(t, name, sink.Addr())
			accept(t, s, 0)
			wantOpen(t, s, mails)
			if sent := sink.Stats().Accepted; sent != 0 {
				t.Errorf("%d mails were sent while no worker ran", sent)
			}
			for round := range 2 { // a system that has rested works again
				if round > 0 {
					accept(t, s, mails)
				}
				workOff(t, s)
				wantEachOnce(t, sink, (round+1)*mails)
			}
		})
	}
}

func needPostfix(t *testing.T, name string) {
	if _, err := exec.LookPath("postfix"); name == "postfix" && (err != nil || os.Geteuid() != 0) {
		t.Fatal("Postfix needs root, and to be installed: run 'scripts/services.sh postfix-install', or 'make bench-test' as root")
	}
}

func prepared(t *testing.T, name, sink string) job.System {
	s, err := peer.New(name, where(t, sink))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return s
}

func where(t *testing.T, sink string) job.Where {
	return job.Where{
		Sink:     sink,
		Database: service(t, "POSTRIDER_TEST_DATABASE_URL"),
		Broker:   service(t, "POSTRIDER_TEST_RABBITMQ_URL"),
		Redis:    service(t, "POSTRIDER_TEST_REDIS_URL"),
		Dir:      t.TempDir(),
		Workers:  4,
	}
}

func service(t *testing.T, name string) string {
	url := os.Getenv(name)
	if url == "" {
		t.Fatalf("%s is not set: run 'make services' and 'scripts/services.sh redis-up', or 'make bench-test'", name)
	}
	return url
}

// accept hands in mails from the number first on.
func accept(t *testing.T, s job.System, first int) {
	var all errgroup.Group
	for caller := range callers {
		all.Go(func() error {
			for n := caller; n < mails; n += callers {
				if err := s.Accept(t.Context(), job.Mail{N: first + n}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatalf("accept: %v", err)
	}
}

// workOff has the system deliver all that it has.
func workOff(t *testing.T, s job.System) {
	if err := s.Work(t.Context()); err != nil {
		t.Fatalf("work: %v", err)
	}
	if len(s.Processes()) == 0 {
		t.Error("it works and has no process")
	}
	awaitNoneOpen(t, s)
	if err := s.Rest(t.Context()); err != nil {
		t.Fatalf("rest: %v", err)
	}
}

func awaitNoneOpen(t *testing.T, s job.System) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		open, err := s.Open(ctx)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		if open == 0 {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%d mails are still open", open)
		}
	}
}

func wantOpen(t *testing.T, s job.System, want int) {
	open, err := s.Open(t.Context())
	if err != nil || open != want {
		t.Errorf("%d mails are open, want %d (%v)", open, want, err)
	}
}

// wantEachOnce looks at what the sink has taken so far.
func wantEachOnce(t *testing.T, sink *smtptest.Server, count int) {
	came := map[string]int{}
	for _, tx := range sink.Transactions() {
		for _, to := range tx.Rcpts {
			came[to]++
		}
	}
	for n := range count {
		if to := (job.Mail{N: n}).To(); came[to] != 1 {
			t.Errorf("%s came %d times", to, came[to])
		}
	}
	if len(came) != count {
		t.Errorf("%d recipients, want %d", len(came), count)
	}
}
