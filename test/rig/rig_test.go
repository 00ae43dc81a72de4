package rig_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/rig"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func build(t *testing.T) *rig.Programs {
	t.Helper()
	return must[*rig.Programs](t)(rig.Build(t.Context(), must[string](t)(rig.Root()), t.TempDir(), false))
}

// Mail goes through a stack in either mode; a member that is killed at a mail's final
// dot leaves one send in flight and comes back at the same address.
func TestAStackSendsIsKilledAndComesBack(t *testing.T) {
	programs := build(t)
	for mode, services := range map[string]*rig.Services{
		"embedded": nil, "distributed": must[*rig.Services](t)(rig.Shared()),
	} {
		t.Run(mode, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			hold := smtptest.Rule{At: smtptest.Dot, Times: 1, End: smtptest.Silent}
			relay := smtptest.New(t, smtptest.Script{Rules: []smtptest.Rule{hold}})
			s, err := rig.NewStack(ctx, rig.Layout{
				Programs: programs, Dir: t.TempDir(), Services: services, Consumers: 1, Relay: relay.URL("none", "", ""),
				Env: map[string]string{"POSTRIDER_LEASE": "12s"}, // what was in flight is counted before a sweep takes it back
			})
			t.Cleanup(func() {
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			var log rig.CallLog
			load := rig.Load{APIs: s.APIs(), Callers: 4, Count: 20, Mail: func(i int) rig.Mail { return rig.PlainMail("rig", i, "") }}
			load.Run(ctx, &log)
			if log.Accepted() != 20 {
				t.Fatalf("%d accepted: %+v", log.Accepted(), log.Calls())
			}
			if err := relay.Await(ctx, func(st smtptest.Stats) bool { return st.Accepted == 19 && st.Steps[smtptest.Dot] == 20 }); err != nil {
				t.Fatal(err)
			}
			awaitOpen(ctx, t, s, 1)
			victim := s.Of(rig.Consumer)[0]
			killAndCount(ctx, t, s, victim)
			if err := s.Ready(ctx, victim); err != nil {
				t.Fatal(err)
			}
			if err := relay.AwaitMails(ctx, 20); err != nil {
				t.Fatal(err)
			}
			awaitOpen(ctx, t, s, 0)
		})
	}
}

func awaitOpen(ctx context.Context, t *testing.T, s *rig.Stack, want int) {
	t.Helper()
	err := rig.Await(ctx, 50*time.Millisecond, fmt.Sprintf("%d open", want), func() (bool, error) {
		n, err := s.Open(ctx)
		return n == want, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func killAndCount(ctx context.Context, t *testing.T, s *rig.Stack, victim *rig.Member) {
	t.Helper()
	pid := victim.Process().PID()
	if err := victim.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if victim.Process().Fell() || victim.Process().ExitCode() != -1 {
		t.Error("a kill is told from an accident")
	}
	if n, err := s.InFlight(ctx, pid); n != 1 || err != nil {
		t.Errorf("%d sends in flight, %v", n, err)
	}
	if err := s.Start(victim); err != nil {
		t.Fatal(err)
	}
}

func TestSharedServicesCannotBeHarmed(t *testing.T) {
	s := must[*rig.Services](t)(rig.Shared())
	if err := s.Fault(t.Context(), "postgres-kill"); !errors.Is(err, rig.ErrShared) {
		t.Errorf("got %v", err)
	}
}

func TestAProcessIsHeldAndMeasured(t *testing.T) {
	p := must[*rig.Process](t)(rig.Start(rig.Command{Name: "sleep", Path: "/bin/sleep", Args: []string{"60"}, Log: t.TempDir() + "/log"}))
	err := rig.Await(t.Context(), time.Millisecond, "a program in memory", func() (bool, error) {
		u, err := p.Usage() // blank while it is being started
		return u.RSS > 0 && u.FDs >= 3, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if !p.Fell() {
		t.Error("nobody had told it to stop by the rig")
	}
}
