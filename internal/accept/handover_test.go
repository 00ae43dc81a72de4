package accept_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

// desk is a relay that wants the copies of one lane.
type desk struct {
	lane  message.Lane
	taken map[message.Lane][]message.Ref
}

func (d *desk) Grace(lane message.Lane) time.Duration {
	if lane == d.lane {
		return time.Second
	}
	return 0
}

func (d *desk) HandOver(lane message.Lane, refs []message.Ref) {
	if d.taken == nil {
		d.taken = map[message.Lane][]message.Ref{}
	}
	d.taken[lane] = append(d.taken[lane], refs...)
}

func TestCopiesAreHandedOverToARelayThatWantsThem(t *testing.T) {
	id := uuid.Max // the store's word counts
	plain, later := draft(), draft()
	plain.Cc = []string{"c@example.com"}
	later.ScheduledAt = time.Now().Add(time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		draft  *message.Draft
		wants  message.Lane
		answer message.Acceptance
		grace  time.Duration
		copies []message.Ref
		woken  []message.Lane
	}{
		"accepted": {
			plain, message.LaneHigh, message.Acceptance{ID: id}, time.Second,
			[]message.Ref{{Key: message.Key{MessageID: id}, Dispatch: 1}, {Key: message.Key{MessageID: id, N: 1}, Dispatch: 1}}, nil,
		},
		"another lane is wanted": {plain, message.LaneLow, message.Acceptance{ID: id}, 0, nil, []message.Lane{message.LaneHigh}},
		"for later":              {later, message.LaneHigh, message.Acceptance{ID: id}, 0, nil, []message.Lane{message.LaneHigh}},
		"replayed":               {plain, message.LaneHigh, message.Acceptance{ID: id, Replayed: true}, time.Second, nil, nil},
		"not stored":             {plain, message.LaneHigh, message.Acceptance{Err: message.ErrUnavailable}, time.Second, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, w := &desk{lane: c.wants}, &wakes{}
			var grace time.Duration
			store := storeFunc(func(_ context.Context, subs []message.Submission) []message.Acceptance {
				if d.taken != nil {
					t.Error("handed over before the commit")
				}
				grace = subs[0].Grace
				return []message.Acceptance{c.answer}
			})
			s := accept.New(store, message.DefaultLimits(), w.wake, time.Now, accept.WithHandover(d))
			s.Start()
			_, _ = s.Accept(t.Context(), message.Unrestricted(1), c.draft, "key", [32]byte{}) // "not stored" is one of the cases
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := d.taken[message.LaneHigh]; grace != c.grace || !slices.Equal(got, c.copies) || !slices.Equal(w.seen(), c.woken) {
				t.Errorf("grace %v, copies %v, woken %v; want %v, %v, %v", grace, got, w.seen(), c.grace, c.copies, c.woken)
			}
			if len(d.taken) > 1 {
				t.Errorf("handed over: %v", d.taken)
			}
		})
	}
}
