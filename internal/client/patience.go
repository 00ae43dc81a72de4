package client

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

// patiently repeats the step while its error may pass by itself and patience
// lasts.
func (c *Client) patiently(ctx context.Context, step func() error) error {
	end := time.Now().Add(c.config.Patience)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := step()
		pause := wait/2 + rand.N(wait) // so that many clients do not return together
		hint, again := mayPass(err)
		pause = max(pause, min(hint, lastWait))
		if !again || !time.Now().Add(pause).Before(end) {
			return err
		}
		if wait == firstWait && c.config.Repeating != nil {
			c.config.Repeating(err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// mayPass reports whether the same post may succeed later, and the wait that
// the server asked for.
func mayPass(err error) (time.Duration, bool) {
	if errors.Is(err, ErrUnreachable) {
		return 0, true
	}
	var p *Problem
	if !errors.As(err, &p) {
		return 0, false
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return p.RetryAfter, true
	}
	return 0, p.Code == "concurrent_idempotent_requests"
}
