package store

import (
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// marksEvery is how often a process writes its marks at most.
const marksEvery = time.Second

// marks are, by lane, the newest time of publication of which this process
// claimed a copy. Older copies of the lane have been overtaken: the sweep takes
// that for evidence that the broker lost them.
type marks struct {
	mu      sync.Mutex
	seen    map[message.Lane]int64
	flushed time.Time
}

func (m *marks) see(lane message.Lane, published int64) {
	if published == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[message.Lane]int64{}
	}
	m.seen[lane] = max(m.seen[lane], published)
}

// take empties the marks, unless they were taken a moment ago.
func (m *marks) take() map[message.Lane]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) == 0 || time.Since(m.flushed) < marksEvery {
		return nil
	}
	seen := m.seen
	m.seen, m.flushed = nil, time.Now()
	return seen
}

// flushMarks writes the marks; they never go back, unless the one there lies
// ahead of the clock, which was then set back: it would call everything
// overtaken until its time comes. They are evidence for later, so what could not
// be written is kept, and is nobody's error.
func (s *Store) flushMarks(ctx context.Context) {
	for lane, published := range s.marks.take() {
		err := s.single(ctx, "note the newest claim of a lane", func(ctx context.Context, t *txn) error {
			_, err := t.exec(ctx, `
				INSERT INTO lanes (lane, claimed_mark) VALUES ($1, $2)
				ON CONFLICT (lane) DO UPDATE SET claimed_mark=excluded.claimed_mark
				WHERE lanes.claimed_mark<excluded.claimed_mark OR lanes.claimed_mark>`+t.clock(), lane, published)
			return err
		})
		if err != nil {
			s.marks.see(lane, published)
			s.log.Debug("kept for the next renewal", "error", err)
		}
	}
}
