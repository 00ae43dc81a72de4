package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/httpapi"
)

// counted is a tally that can be read.
type counted struct {
	began  map[string]int
	lasted map[string]time.Duration
}

func newCounted() *counted { return &counted{map[string]int{}, map[string]time.Duration{}} }

func (c *counted) DefineFault(part string, causes ...string) {
	for _, cause := range causes {
		c.began[part+"/"+cause] += 0
	}
}
func (c *counted) FaultBegan(part, cause string)            { c.began[part+"/"+cause]++ }
func (c *counted) FaultLasted(part string, d time.Duration) { c.lasted[part] += d }
func (c *counted) lastedAbout(part string, d time.Duration) bool {
	return (c.lasted[part] - d).Abs() <= 2*watchEvery
}

// scene is a watch of one part, inside a bubble of virtual time.
type scene struct {
	*testing.T
	watch *watch
	tally *counted
	log   bytes.Buffer
	now   atomic.Pointer[fault] // what a look finds
}

func watched(t *testing.T, story func(s *scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, tally: newCounted()}
		s.watch = newWatch(slog.New(slog.NewTextHandler(&s.log, nil)), s.tally)
		s.watch.add(check{part: "relay host", causes: []string{"away", "tls"}, look: func(context.Context) *fault { return s.now.Load() }})
		s.watch.start()
		story(s)
		s.watch.stop()
	})
}

// wait lets virtual time pass, and everything that wants to happen in it.
func (s *scene) wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *scene) lines(want string) int { return strings.Count(s.log.String(), want) }

func away() *fault {
	return &fault{status: httpapi.CheckDegraded, cause: "away", detail: "no answer", remedy: "start it", err: errors.New("refused")}
}

func TestAFaultIsToldCountedAndShownByOneLook(t *testing.T) {
	watched(t, func(s *scene) {
		s.wait(time.Minute)
		if s.log.Len() > 0 || s.tally.lasted["relay_host"] > 0 {
			s.Errorf("without a fault: %v, log %s", s.tally.lasted, &s.log)
		}
		s.now.Store(away())
		s.wait(2 * watchEvery)
		if n := s.tally.began["relay_host/away"]; n != 1 {
			s.Errorf("counted %d times", n)
		}
		for _, want := range []string{`part="relay host"`, "cause=away", `detail="no answer"`, "error=refused", `remedy="start it"`} {
			if s.lines(want) != 1 {
				s.Errorf("the log does not say %s once: %s", want, &s.log)
			}
		}
		got := s.watch.Check(s.Context())[0]
		if got.Status != httpapi.CheckDegraded || got.Cause != "away" || got.Since == nil || got.Remedy != "start it" {
			s.Errorf("shown: %+v", got)
		}
		s.now.Store(nil)
		s.wait(2 * watchEvery)
		if s.lines(`msg="fault is over"`) != 1 || s.watch.Check(s.Context())[0] != (httpapi.Check{Name: "relay host", Status: httpapi.CheckOK}) {
			s.Errorf("after it: %+v, log %s", s.watch.Check(s.Context()), &s.log)
		}
		was := s.tally.lasted["relay_host"]
		s.wait(time.Minute)
		if !s.tally.lastedAbout("relay_host", 2*watchEvery) || s.tally.lasted["relay_host"] != was {
			s.Errorf("lasted %v, then %v", was, s.tally.lasted["relay_host"])
		}
	})
}

// The watch and the two ports ask for themselves. A database that needs two seconds is
// within the limit, and must not be at fault for the one that is left to who waited.
func TestWhoWaitedForALookTakesWhatItFound(t *testing.T) {
	var looks atomic.Int32
	w := newWatch(slog.New(slog.DiscardHandler), newCounted())
	w.add(check{part: "database", look: func(ctx context.Context) *fault {
		if looks.Add(1); ctx.Err() != nil {
			return away()
		}
		return nil
	}})
	asked := time.Now()
	w.Check(t.Context())
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if got := w.since(late, asked); looks.Load() != 1 || len(got) != 1 || got[0].Status != httpapi.CheckOK {
		t.Errorf("%d looks, of which the last found %+v", looks.Load(), got)
	}
	if w.Check(t.Context()); looks.Load() != 2 {
		t.Errorf("%d looks at two questions one after the other", looks.Load())
	}
}

func TestALongFaultIsToldEverMoreSeldom(t *testing.T) {
	watched(t, func(s *scene) {
		s.now.Store(away())
		s.wait(time.Hour)
		if n := s.lines("fault lasts"); n < 5 || n > 12 {
			s.Errorf("told %d times in an hour: %s", n, &s.log)
		}
		if s.tally.began["relay_host/away"] != 1 || !s.tally.lastedAbout("relay_host", time.Hour) {
			s.Errorf("counted %v, %v", s.tally.began, s.tally.lasted)
		}
	})
}

func TestAFaultThatChangesItsCauseIsAnotherFaultOfTheSameTime(t *testing.T) {
	watched(t, func(s *scene) {
		s.now.Store(away())
		s.wait(2 * watchEvery)
		since := s.watch.Check(s.Context())[0].Since
		s.now.Store(&fault{status: httpapi.CheckDown, cause: "tls"})
		s.wait(2 * watchEvery)
		if got := s.watch.Check(s.Context())[0]; got.Cause != "tls" || !got.Since.Equal(*since) {
			s.Errorf("shown: %+v, was since %v", got, since)
		}
		if s.tally.began["relay_host/tls"] != 1 || s.lines("level=ERROR") != 1 {
			s.Errorf("counted %v, log %s", s.tally.began, &s.log)
		}
	})
}

func TestAPartThatIsStartingIsShownAndNotAtFault(t *testing.T) {
	watched(t, func(s *scene) {
		s.now.Store(&fault{status: httpapi.CheckDown, cause: causeStarting})
		s.wait(time.Minute)
		if got := s.watch.Check(s.Context())[0]; got.Status != httpapi.CheckDown || s.log.Len() > 0 || len(s.tally.lasted) > 0 {
			s.Errorf("shown %+v, log %q, %v", got, &s.log, s.tally.lasted)
		}
	})
}

func TestAStopIsNoFault(t *testing.T) {
	watched(t, func(s *scene) {
		s.watch.stop()
		s.now.Store(away())
		if got := s.watch.Check(s.Context())[0]; got.Cause != "away" || s.log.Len() > 0 {
			s.Errorf("shown %+v, log %q", got, &s.log)
		}
	})
}

func TestWorkThatOnlyFailsIsAStreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStreaks(failsFor)
		failing := func(kind string) error { _, _, err := s.longest(); return err }
		fail := func(kind string, n int) {
			for range n {
				begun := time.Now()
				<-time.After(2 * time.Second)
				s.of(kind).note(begun, fmt.Errorf("%s failed", kind))
			}
		}
		if fail("claim", 4); failing("claim") != nil {
			t.Error("8 s are a stumble")
		}
		s.of("renew").note(time.Now(), nil)
		if fail("claim", 2); failing("claim") == nil {
			t.Error("12 s are not seen: another kind's success hides them")
		}
		if kind, lasted, err := s.longest(); kind != "claim" || lasted != 12*time.Second || err.Error() != "claim failed" {
			t.Errorf("longest: %s %v %v", kind, lasted, err)
		}
		s.of("claim").note(time.Now(), nil)
		if failing("claim") != nil {
			t.Error("a success does not end it")
		}
		fail("claim", 6)
		<-time.After(streakEnds + time.Second)
		if failing("claim") != nil {
			t.Error("work that nobody asks for any more is still at fault")
		}
		if fail("claim", 1); failing("claim") != nil {
			t.Error("a failure long after the last is the same streak")
		}
	})
}

func TestSendsThatNeverEndAreNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &progress{inHand: map[*time.Time]bool{}}
		stuck := func(wantFor time.Duration, wantN int) {
			t.Helper()
			if d, n := p.stuck(); d != wantFor || n != wantN {
				t.Errorf("stuck for %v with %d, want %v with %d", d, n, wantFor, wantN)
			}
		}
		<-time.After(time.Hour)
		stuck(0, 0)
		slow := p.begin()
		<-time.After(20 * time.Second)
		quick := p.begin()
		<-time.After(20 * time.Second)
		stuck(40*time.Second, 2)
		quick()
		stuck(0, 1)
		<-time.After(10 * time.Second)
		stuck(10*time.Second, 1)
		slow()
		stuck(0, 0)
	})
}
