package mailcatch

import (
	"fmt"
	"net/http"
	"time"
)

const (
	maxStreams  = 64               // event streams open at once
	streamBeat  = 20 * time.Second // a line to find clients that are gone
	streamWrite = 10 * time.Second // to write one event
)

// events tells the page by server-sent events that the list has changed; the
// page then asks for it again.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		http.Error(w, "too many open pages", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	changed, closed := p.box.watch()
	message := "retry: 2000\n\n"
	for send(w, message) == nil {
		select {
		case <-changed:
			// Watch again before telling: a change between the two is not lost.
			changed, _ = p.box.watch()
			message = "event: change\ndata: 1\n\n"
		case <-beat.C:
			message = ":\n\n"
		case <-closed:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func send(w http.ResponseWriter, message string) error {
	rc := http.NewResponseController(w)
	// The server's own deadline is for one answer, not for a stream.
	if err := rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	if _, err := fmt.Fprint(w, message); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return rc.Flush()
}
