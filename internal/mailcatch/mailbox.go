package mailcatch

import (
	"slices"
	"sync"
)

// mailbox keeps the mails, bounded in number and bytes, and wakes whoever
// waits for a change. Mails in it are never changed, so that readers may use
// them without the lock.
type mailbox struct {
	keep  int
	total int64 // bytes

	mu       sync.Mutex
	mails    []*mail // oldest first
	bytes    int64
	arriving int64         // bytes reserved by mails still being received
	changed  chan struct{} // closed and replaced at every change
	closed   chan struct{} // closed while the inbox does not run
}

func newMailbox(keep int, total int64) *mailbox {
	return &mailbox{keep: keep, total: total, changed: make(chan struct{}), closed: make(chan struct{})}
}

// add stores m and drops the oldest mails over the limits.
func (b *mailbox) add(m *mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
	b.bytes += m.weight()
	for len(b.mails) > b.keep || (b.bytes > b.total && len(b.mails) > 1) {
		b.bytes -= b.mails[0].weight()
		b.mails[0] = nil // the array outlives the slice; the mail must not
		b.mails = b.mails[1:]
	}
	b.announce()
}

// list gives all mails, newest first.
func (b *mailbox) list() []*mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Clone(b.mails)
	slices.Reverse(all)
	return all
}

func (b *mailbox) get(id string) (*mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.index(id)
	if n < 0 {
		return nil, false
	}
	return b.mails[n], true
}

// remove reports whether there was a mail of that id.
func (b *mailbox) remove(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.index(id)
	if n < 0 {
		return false
	}
	b.bytes -= b.mails[n].weight()
	b.mails = slices.Delete(b.mails, n, n+1)
	b.announce()
	return true
}

func (b *mailbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails, b.bytes = nil, 0
	b.announce()
}

func (b *mailbox) index(id string) int {
	return slices.IndexFunc(b.mails, func(m *mail) bool { return m.id == id })
}

func (b *mailbox) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// watch gives a channel that is closed at the next change, and one that is
// closed when the inbox stops.
func (b *mailbox) watch() (changed, closed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed, b.closed
}

func (b *mailbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = make(chan struct{})
}

func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.closed)
}

// reservation is the memory of one mail that is still arriving. Without it a
// hundred clients could each fill MaxBytes before anything is stored.
type reservation struct {
	box  *mailbox
	held int64
}

func (b *mailbox) reservation() *reservation { return &reservation{box: b} }

// take reserves n more bytes, or none and reports false.
func (r *reservation) take(n int64) bool {
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	if r.box.arriving+n > r.box.total {
		return false
	}
	r.box.arriving += n
	r.held += n
	return true
}

// cover makes sure that at least n bytes are reserved.
func (r *reservation) cover(n int64) bool {
	return n <= r.held || r.take(n-r.held)
}

func (r *reservation) release() {
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	r.box.arriving -= r.held
	r.held = 0
}
