package sweep

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// scene is a database and a broker that the test moves by hand.
type scene struct {
	clock    message.Clock
	away     error
	slow     time.Duration // until the clock answers
	hangs    time.Duration // what else is asked of it
	ready    int
	blind    error
	leases   int
	locked   error // deliveries cannot be changed
	lostArgs []time.Time
}

func (s *scene) Clock(context.Context) (message.Clock, error) {
	s.pass(s.slow)
	return s.clock, s.away
}

func (s *scene) SweepLeases(_ context.Context, _ time.Time, limit int, _ time.Duration) (message.Swept, error) {
	if s.locked == nil && limit > 0 {
		s.leases++
	}
	return message.Swept{}, s.locked
}

func (s *scene) SweepLost(_ context.Context, _ message.Lane, emptySince time.Time, _ int) (int, error) {
	s.lostArgs = append(s.lostArgs, emptySince)
	return 0, nil
}

func (s *scene) SweepExpired(context.Context, int) (int, error) {
	s.pass(s.hangs)
	return 0, nil
}

func (s *scene) Ready(context.Context, message.Lane) (int, error) { return s.ready, s.blind }

func newScene() (*scene, *Sweep) {
	s := &scene{clock: message.Clock{Now: time.UnixMilli(1_800_000_000_000), Epoch: "1"}}
	return s, New(Config{Store: s, Queue: s, Lanes: []message.Lane{message.LaneNormal}})
}

// pass moves the database's clock and this host's alike.
func (s *scene) pass(d time.Duration) {
	<-time.After(d) // virtual
	s.clock.Now = s.clock.Now.Add(d)
}

func (s *scene) lastLost() time.Time { return s.lostArgs[len(s.lostArgs)-1] }

func TestLeasesAreJudgedOnlyOnAQuietClock(t *testing.T) { synctest.Test(t, leasesOnAQuietClock) }

func leasesOnAQuietClock(t *testing.T) {
	s, sweep := newScene()
	judged := func() bool {
		before := s.leases
		sweep.Round(context.Background())
		return s.leases > before
	}
	steps := []struct {
		name  string
		apply func()
		want  bool
	}{
		{"the first look", func() {}, false},
		{"5 s later", func() { s.pass(5 * time.Second) }, false},
		{"10 s later", func() { s.pass(5 * time.Second) }, true},
		{"the clock steps an hour ahead", func() { s.pass(5 * time.Second); s.clock.Now = s.clock.Now.Add(time.Hour) }, false},
		{"11 s after the step", func() { s.pass(11 * time.Second) }, true},
		{"the clock steps an hour back", func() { s.pass(5 * time.Second); s.clock.Now = s.clock.Now.Add(-time.Hour) }, false},
		{"11 s after that", func() { s.pass(11 * time.Second) }, true},
		{"the database is restarted", func() { s.pass(5 * time.Second); s.clock.Epoch = "2" }, false},
		{"11 s after the restart", func() { s.pass(11 * time.Second) }, true},
		{"nobody can change a delivery", func() { s.pass(5 * time.Second); s.locked = message.ErrUnavailable }, false},
		{"30 s later still", func() { s.pass(30 * time.Second) }, false},
		{"all can again", func() { s.pass(5 * time.Second); s.locked = nil }, false},
		{"5 s after that the holders may not have renewed", func() { s.pass(5 * time.Second) }, false},
		{"11 s after that they have", func() { s.pass(6 * time.Second) }, true},
		{"the database is away", func() { s.pass(5 * time.Second); s.away = message.ErrUnavailable }, false},
		{"it is back", func() { s.pass(5 * time.Second); s.away = nil }, false},
		{"11 s after it is back", func() { s.pass(11 * time.Second) }, true},
		{"the database is busy and answers late", func() { s.pass(5 * time.Second); s.slow = 3 * time.Second }, true},
		{"it is quick again", func() { s.pass(5 * time.Second); s.slow = 0 }, true},
		{"it hung, and its clock answers at last", func() { s.pass(5 * time.Second); s.slow = 17 * time.Second }, false},
		{"5 s after that the holders may not have renewed", func() { s.pass(5 * time.Second); s.slow = 0 }, false},
		{"11 s after that they have", func() { s.pass(6 * time.Second) }, true},
		{"it hangs after the look", func() { s.pass(5 * time.Second); s.hangs = 17 * time.Second }, true},
		{"the look after that", func() { s.pass(time.Second); s.hangs = 0 }, false},
		{"11 s after it", func() { s.pass(11 * time.Second) }, true},
	}
	for _, step := range steps {
		step.apply()
		if got := judged(); got != step.want {
			t.Errorf("%s: judged leases: %v, want %v", step.name, got, step.want)
		}
	}
}

func TestLostCopiesNeedTwoLooksAtAnEmptyLane(t *testing.T) { synctest.Test(t, lostCopiesNeedTwoLooks) }

func lostCopiesNeedTwoLooks(t *testing.T) {
	s, sweep := newScene()
	round := func() time.Time { sweep.Round(context.Background()); return s.lastLost() }
	if got := round(); !got.IsZero() {
		t.Errorf("one look gave evidence since %v", got)
	}
	first := s.clock.Now
	s.pass(2 * time.Second)
	if got := round(); !got.IsZero() {
		t.Errorf("looks 2 s apart gave evidence since %v", got)
	}
	s.pass(3 * time.Second)
	if got := round(); !got.Equal(first) {
		t.Errorf("looks 5 s apart: evidence since %v, want %v", got, first)
	}
	s.ready = 1
	s.pass(5 * time.Second)
	if got := round(); !got.IsZero() {
		t.Errorf("a lane with copies gave evidence since %v", got)
	}
	s.ready, s.blind = 0, errors.New("broker away")
	if got := round(); !got.IsZero() {
		t.Errorf("a broker that is away gave evidence since %v", got)
	}
	s.blind = nil
	s.pass(2 * time.Minute)
	if got := round(); !got.IsZero() {
		t.Errorf("a look of two minutes ago gave evidence since %v", got)
	}
}

func TestStopIsIdempotentAndSafeBeforeStart(t *testing.T) {
	_, sweep := newScene()
	for range 3 {
		if err := sweep.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
