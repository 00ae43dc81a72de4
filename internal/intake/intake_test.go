package intake_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a store whose emails come by put and whose answers are told.
type desk struct {
	mu    sync.Mutex
	waits []message.TakenIn // the ids in their order
	last  uint64            // id that was given
	read  intake.Read       // nil: all can be read at once
	more  bool              // one more comes with every look
	err   error
	looks int
	rings chan struct{}
	forgs int
}

func (d *desk) put(rings bool, list ...message.TakenIn) {
	d.mu.Lock()
	d.add(list...)
	d.mu.Unlock()
	if rings {
		d.rings <- struct{}{}
	}
}

func (d *desk) add(list ...message.TakenIn) {
	for _, t := range list {
		d.last++
		binary.BigEndian.PutUint64(t.ID[:], d.last)
		d.waits = append(d.waits, t)
	}
}

// TakeIn gives each email 5 seconds to be read, and reads no further after 2, as the
// store does.
func (d *desk) TakeIn(ctx context.Context, after uuid.UUID, limit int, read intake.Read) (look message.IntakeLook, err error) {
	begun := time.Now()
	found, err := d.look(after, limit)
	for _, t := range found {
		if time.Since(begun) > 2*time.Second {
			break
		}
		look.Last = t.ID
		if e := d.ask(ctx, t.ID, read); e != nil {
			err = e
			continue
		}
		look.Taken = append(look.Taken, t)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = slices.DeleteFunc(d.waits, func(t message.TakenIn) bool {
		return slices.ContainsFunc(look.Taken, func(taken message.TakenIn) bool { return taken.ID == t.ID })
	})
	return look, err
}

func (d *desk) look(after uuid.UUID, limit int) ([]message.TakenIn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	if d.more {
		d.add(mail(message.LaneLow))
	}
	from, _ := slices.BinarySearchFunc(d.waits, after, func(t message.TakenIn, after uuid.UUID) int {
		return cmp.Or(bytes.Compare(t.ID[:], after[:]), -1)
	})
	return slices.Clone(d.waits[from:min(from+limit, len(d.waits))]), d.err
}

func (d *desk) ask(ctx context.Context, id uuid.UUID, read intake.Read) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := read(ctx, message.Enqueued{ID: id})
	return err
}

// asked has every email read by what f says of it, the first being number 1.
func (d *desk) asked(f func(ctx context.Context, number uint64) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
		return message.Reading{}, f(ctx, binary.BigEndian.Uint64(e.ID[:]))
	}
}

func (d *desk) AwaitEnqueued(ctx context.Context) error {
	select {
	case <-d.rings:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *desk) ForgetEnqueueKeys(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgs++
	return nil
}

func (d *desk) left() (waiting, looks int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waits), d.looks
}

// started runs an intake on the desk in a bubble, and tells what lanes were woken.
func started(t *testing.T, story func(d *desk, woken func() []message.Lane)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{rings: make(chan struct{})}
		var mu sync.Mutex
		var lanes []message.Lane
		read := func(ctx context.Context, e message.Enqueued) (message.Reading, error) {
			d.mu.Lock()
			how := d.read
			d.mu.Unlock()
			if how == nil {
				return message.Reading{}, nil
			}
			return how(ctx, e)
		}
		in := intake.New(intake.Config{Store: d, Read: read, Random: func() float64 { return 0.5 }, Wake: func(l message.Lane) {
			mu.Lock()
			defer mu.Unlock()
			lanes = append(lanes, l)
		}})
		in.Start()
		synctest.Wait()
		story(d, func() []message.Lane {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(lanes)
		})
		for range 2 {
			if err := in.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

func mail(lane message.Lane) message.TakenIn { return message.TakenIn{ID: uuid.New(), Lane: lane} }

func TestARingIsAnsweredAtOnce(t *testing.T) {
	started(t, func(d *desk, woken func() []message.Lane) {
		begun := time.Now()
		d.put(true, mail(message.LaneHigh), mail(message.LaneHigh), mail(message.LaneLow))
		synctest.Wait()
		if n, _ := d.left(); n != 0 || time.Since(begun) != 0 {
			t.Errorf("%d left after %v", n, time.Since(begun))
		}
		if got := woken(); !slices.Equal(got, []message.Lane{message.LaneHigh, message.LaneLow}) {
			t.Errorf("woken %v, want each lane once", got)
		}
	})
}

func TestWhatNobodyRangForIsFoundWithinASecond(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		d.put(false, mail(message.LaneLow))
		time.Sleep(time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Error("it still waits")
		}
	})
}

func TestABacklogIsTakenInWithoutAPause(t *testing.T) {
	started(t, func(d *desk, woken func() []message.Lane) {
		begun := time.Now()
		d.put(true, slices.Repeat([]message.TakenIn{mail(message.LaneLow)}, 1000)...)
		synctest.Wait()
		if n, looks := d.left(); n != 0 || time.Since(begun) != 0 || looks < 8 {
			t.Errorf("%d left after %d looks and %v", n, looks, time.Since(begun))
		}
	})
}

func TestARefusedEmailWakesNobody(t *testing.T) {
	started(t, func(d *desk, woken func() []message.Lane) {
		refused := mail(message.LaneLow)
		refused.Refused = &message.Error{Code: message.CodeValidation}
		d.put(true, refused)
		synctest.Wait()
		if got := woken(); got != nil {
			t.Errorf("woken %v", got)
		}
	})
}

func TestADatabaseThatIsAwayIsAskedEverLessOften(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		d.mu.Lock()
		d.err, d.looks = message.ErrUnavailable, 0
		d.mu.Unlock()
		time.Sleep(time.Minute)
		if _, looks := d.left(); looks < 5 || looks > 15 {
			t.Errorf("%d looks in a minute", looks)
		}
		d.mu.Lock()
		d.err = nil
		d.mu.Unlock()
		d.put(false, mail(message.LaneLow))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Error("it does not go on")
		}
	})
}

// One that is stuck is told of, and slows down no other.
func TestAnErrorBesideSuccessesIsNoPause(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		d.mu.Lock()
		d.err = errors.New("one of them is stuck")
		d.mu.Unlock()
		time.Sleep(10 * time.Second) // in whose pauses
		begun := time.Now()
		d.put(false, slices.Repeat([]message.TakenIn{mail(message.LaneLow)}, 1000)...)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if n, _ := d.left(); n != 0 {
			t.Errorf("%d left after %v", n, time.Since(begun))
		}
	})
}

// A look deletes 25,000 at most, so that is what so many looks keep up with.
func TestKeysAreForgottenAsFastAsCallersBringThem(t *testing.T) {
	started(t, func(d *desk, _ func() []message.Lane) {
		time.Sleep(10*time.Minute + time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.forgs != 120 {
			t.Errorf("%d times in ten minutes: that keeps up with %d keys a second", d.forgs, d.forgs*25_000/600)
		}
	})
}
