package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	lastWait  = 5 * time.Second
)

// patiently repeats the step while its error may pass by itself and patience lasts. It
// waits for a random part of an ever longer time, so that many clients do not return
// together, and as long again as the server asks for. Where that would be too long it
// does not wait at all.
func (e *Exchange) patiently(ctx context.Context, once bool, step func() error) error {
	end := time.Now().Add(e.config.Patience)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := step()
		hint, again := mayPass(err, once)
		pause := hint + rand.N(wait)
		if !again || !time.Now().Add(pause).Before(end) {
			return err
		}
		if wait == firstWait && e.config.Repeating != nil {
			e.config.Repeating(err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// mayPass reports whether the same request may succeed later, and the wait that the
// server asked for. One that must not be done twice is repeated only where the server
// itself said that it did nothing.
func mayPass(err error, once bool) (time.Duration, bool) {
	if errors.Is(err, ErrUnreachable) {
		return 0, !once
	}
	var p *Problem
	if !errors.As(err, &p) {
		return 0, false
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return p.RetryAfter, !once || p.Code != CodeStranger
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return p.RetryAfter, !once
	}
	return 0, false
}
