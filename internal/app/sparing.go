package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	sparePeriod = 30 * time.Second
	spareMost   = 1000 // lines remembered; past that, all are forgotten
)

// sparing is a log handler that does not repeat itself. A fault that sixty
// workers meet every second would fill a disk and hide everything else: of
// warnings and errors that say the same of the same thing, one is written in 30 s,
// with the number of those left out before it. What is said of one mail or
// one request is never left out: it is said once each.
type sparing struct {
	slog.Handler
	said  *said
	about string // what With has named
	exact bool   // With has named a mail or a request
}

// said is shared by all that With has made of one handler.
type said struct {
	mu    sync.Mutex
	lines map[string]*spared
}

type spared struct {
	until time.Time
	left  int
}

func newSparing(next slog.Handler) slog.Handler {
	return &sparing{Handler: next, said: &said{lines: map[string]*spared{}}}
}

// Handle implements slog.Handler.
func (h *sparing) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	about, exact := h.about, h.exact
	r.Attrs(func(a slog.Attr) bool {
		about, exact = name(about, a), exact || single(a)
		return true
	})
	if exact {
		return h.Handler.Handle(ctx, r)
	}
	left, write := h.said.may(r.Message+about, r.Time)
	if !write {
		return nil
	}
	if left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", left))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *sparing) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		next.about, next.exact = name(next.about, a), next.exact || single(a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *sparing) WithGroup(group string) slog.Handler {
	next := *h
	next.Handler = h.Handler.WithGroup(group)
	return &next
}

// single tells the attributes of lines that are about one mail or request.
func single(a slog.Attr) bool { return a.Key == "message" || a.Key == "request_id" }

// name adds what a line is about. Its error is not part of that: it may hold a
// port that is another each time.
func name(about string, a slog.Attr) string {
	if slices.Contains([]string{"part", "cause", "lane", "queue", "exchange", "link", "server", "to"}, a.Key) {
		return about + "\n" + a.Value.String()
	}
	return about
}

func (s *said) may(line string, now time.Time) (left int, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) >= spareMost {
		clear(s.lines)
	}
	one := s.lines[line]
	if one == nil {
		one = &spared{}
		s.lines[line] = one
	}
	if now.Before(one.until) {
		one.left++
		return 0, false
	}
	left = one.left
	one.left, one.until = 0, now.Add(sparePeriod)
	return left, true
}
