package inproc

import (
	"sync"

	"github.com/postrider/postrider/internal/message"
)

// entry is a copy that waits.
type entry struct {
	ref         message.Ref
	redelivered bool
}

// buffer is one lane: a ring of copies that wait. Its capacity counts those in
// hand too, so that a copy that comes back always finds room.
type buffer struct {
	// waiting holds one token for each copy in the ring. A consumer takes a
	// token first and then surely finds a copy; channels can be waited for
	// together with a context, a sync.Cond cannot.
	waiting chan struct{}

	mu     sync.Mutex
	ring   []entry
	head   int // of the oldest copy
	length int // copies in the ring
	inHand int // copies taken and not settled
}

func newBuffer(capacity int) *buffer {
	return &buffer{waiting: make(chan struct{}, capacity), ring: make([]entry, capacity)}
}

// put appends a copy; false means that the lane is full.
func (b *buffer) put(e entry) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.length+b.inHand >= len(b.ring) {
		return false
	}
	b.ring[(b.head+b.length)%len(b.ring)] = e
	b.length++
	b.waiting <- struct{}{}
	return true
}

// take removes the oldest copy. Only the holder of a token may call it.
func (b *buffer) take() entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.ring[b.head]
	b.head = (b.head + 1) % len(b.ring)
	b.length--
	b.inHand++
	return e
}

// putBack returns a copy that was taken, ahead of all others.
func (b *buffer) putBack(e entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = (b.head + len(b.ring) - 1) % len(b.ring)
	b.ring[b.head] = e
	b.length++
	b.inHand--
	b.waiting <- struct{}{}
}

// drop forgets a copy that was taken.
func (b *buffer) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inHand--
}

func (b *buffer) ready() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.length
}
