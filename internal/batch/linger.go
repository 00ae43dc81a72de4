package batch

import "time"

// Linger lets a batch that follows one of several requests begin no sooner than
// that long after it began, unless it is full before. So calls that come in a
// stream share batches, where each by itself would find the batcher idle; and a
// caller who is alone never waits. Full is by number, not by weight. 0, the
// default, is for callers who wait for nothing else meanwhile.
func Linger[Req any](least time.Duration) Option[Req] {
	return func(b *bound[Req]) { b.linger = least }
}

// next is what the next batch consists of.
func (b *Batcher[Req, Res]) next() []*call[Req, Res] {
	if left := b.lingers(); left > 0 {
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-b.hurry:
			timer.Stop()
		}
	}
	return b.take()
}

// lingers is how long the next batch may yet gather.
func (b *Batcher[Req, Res]) lingers() time.Duration {
	if b.bound.linger <= 0 || b.last.size < 2 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.hurry: // of an earlier batch
	default:
	}
	if b.stopped || len(b.waiting) == 0 || len(b.waiting) >= b.bound.count {
		return 0
	}
	return time.Until(b.last.began.Add(b.bound.linger))
}
