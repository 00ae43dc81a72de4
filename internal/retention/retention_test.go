package retention_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/retention"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table has messages that are over, or not, in the order of their ids.
type table struct {
	ids   []byte // the last byte of each
	over  map[byte]bool
	steps []byte // behind which each step began
	slow  time.Duration
	other []int // how many rows each call of ForgetOld is to find; none then

	mu      sync.Mutex
	away    error
	forgets int
}

func (s *table) ForgetOld(_ context.Context, keep time.Duration, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets++
	if keep != 48*time.Hour || limit != 128 {
		return 0, errors.New("other bounds than were set")
	}
	if s.away != nil || len(s.other) == 0 {
		return 0, s.away
	}
	n := s.other[0]
	s.other = s.other[1:]
	return n, nil
}

func (s *table) isAway(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

func id(last byte) uuid.UUID { return uuid.UUID{15: last} }

func (s *table) Purge(_ context.Context, after uuid.UUID, keep time.Duration, limit int) (message.Purged, error) {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, after[15])
	if keep != 48*time.Hour || limit != 128 {
		return message.Purged{}, errors.New("other bounds than were set")
	}
	if s.away != nil {
		return message.Purged{}, s.away
	}
	for i, n := range s.ids { // one at a time
		if n <= after[15] {
			continue
		}
		p := message.Purged{Last: id(n)}
		if s.over[n] {
			p.Messages = 1
			s.ids = slices.Delete(s.ids, i, i+1)
		}
		return p, nil
	}
	return message.Purged{}, nil
}

func TestEachRoundGoesOnWhereTheLastOneEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{ids: []byte{1, 2, 3}, over: map[byte]bool{1: true, 3: true}}
		r := retention.New(retention.Config{Store: s, Keep: 48 * time.Hour})
		if n, err := r.Round(t.Context()); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		s.over[2], s.ids = true, append(s.ids, 4, 5)
		s.over[5] = true
		if n, err := r.Round(t.Context()); n != 1 || err != nil || !slices.Equal(s.ids, []byte{2, 4}) {
			t.Errorf("%d, %v, %v are left", n, err, s.ids)
		}
		time.Sleep(time.Hour)
		if n, err := r.Round(t.Context()); n != 1 || err != nil || !slices.Equal(s.ids, []byte{4}) {
			t.Errorf("an hour later: %d, %v, %v are left", n, err, s.ids)
		}
		if want := []byte{0, 1, 2, 3, 3, 4, 5, 0, 2, 4}; !slices.Equal(s.steps, want) {
			t.Errorf("steps behind %v, want %v", s.steps, want)
		}
	})
}

func TestWhatIsNoMessageIsForgottenOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{other: []int{130, 128, 127}}
		r := retention.New(retention.Config{Store: s, Keep: 48 * time.Hour})
		for _, step := range []struct {
			away  error
			after time.Duration
			calls int
		}{
			{after: 0, calls: 3},
			{after: 59 * time.Minute, calls: 3},
			{after: time.Minute, away: message.ErrUnavailable, calls: 4},
			{after: 0, calls: 5},
			{after: time.Minute, calls: 5},
		} {
			time.Sleep(step.after)
			s.isAway(step.away)
			if _, err := r.Round(t.Context()); !errors.Is(err, step.away) || s.forgets != step.calls {
				t.Errorf("%d calls, %v; want %d, %v", s.forgets, err, step.calls, step.away)
			}
		}
	})
}

func TestItTakesNoMoreThanHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &table{ids: []byte{1, 2, 3}, slow: time.Second}
		begun := time.Now()
		if _, err := retention.New(retention.Config{Store: s, Keep: 48 * time.Hour}).Round(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != 7*time.Second {
			t.Errorf("four steps of a second and three pauses took %v", took)
		}
	})
}

func TestAnAbsentDatabaseIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &table{ids: []byte{1}, over: map[byte]bool{1: true}, away: message.ErrUnavailable}
		r := retention.New(retention.Config{Store: s, Keep: 48 * time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		r.Start()
		synctest.Wait()
		s.isAway(nil)
		time.Sleep(2 * time.Minute)
		if err := errors.Join(r.Stop(t.Context()), r.Stop(t.Context())); err != nil {
			t.Error(err)
		}
		if len(s.ids) != 0 || strings.Count(log.String(), "remedy") != 1 || !strings.Contains(log.String(), "messages=1") {
			t.Errorf("%v are left\n%s", s.ids, log.String())
		}
	})
}

func TestStopWithoutStart(t *testing.T) {
	if err := retention.New(retention.Config{}).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
