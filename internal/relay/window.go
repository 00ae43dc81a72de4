package relay

// window bounds how many copies of a lane wait with the broker, and asks it
// only when that many could: between two looks no more can wait than the last
// one saw and what was handed over since. What a consumer gives back, or another
// relay hands over, is seen by the next look; so relays that compete may fill a
// window each, and no more.
//
// Nothing was seen at the start. One batch is let go then, so that a lane in
// which little happens, or whose broker is away, asks nothing at all.
type window struct {
	size, batch int
	ready       int // waited at the last look, or are taken to have
	given       int // handed over since, confirmed or not: a copy whose confirm was lost waits too
}

func newWindow(size, batch int) *window {
	w := &window{size: size, batch: min(batch, size)}
	w.forget()
	return w
}

// room is how many copies may be handed over without another look.
func (w *window) room() int { return min(w.batch, w.size-w.ready-w.given) }

func (w *window) give(n int) { w.given += n }

// saw notes a look and reports whether the queue is to be left alone. Room for
// less than a batch counts as none: a queue that is kept full to the brim would
// be filled a row at a time.
func (w *window) saw(ready int) (shut bool) {
	w.ready, w.given = ready, 0
	if shut = w.room() < w.batch; shut {
		w.ready = w.size
	}
	return shut
}

// forget is for a look that failed. A batch is then tried unseen, lest a broker
// that takes copies and cannot count them stand still.
func (w *window) forget() { w.ready, w.given = w.size-w.batch, 0 }
