package rig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
	"github.com/postrider/postrider/test/check"
)

// Mail is what a caller wants accepted.
type Mail struct {
	Key        string // its Idempotency-Key
	Body       []byte // JSON for POST /v1/emails
	Recipients []string
	OnUnknown  message.OnUnknown // "" is resend
}

// NewMail makes the request for an email; its recipients are those in "to", a
// []string.
func NewMail(key string, email map[string]any) Mail {
	body, err := json.Marshal(email)
	if err != nil {
		panic(err) // what a test writes by hand marshals
	}
	m := Mail{Key: key, Body: body}
	m.Recipients, _ = email["to"].([]string)
	m.OnUnknown, _ = email["on_unknown"].(message.OnUnknown)
	return m
}

// PlainMail is a small mail to one recipient, known by its number.
func PlainMail(run string, i int, onUnknown message.OnUnknown) Mail {
	email := map[string]any{
		"from": "Shop <shop@sender.example>", "to": []string{fmt.Sprintf("%d.%s@example.com", i, run)},
		"subject": fmt.Sprintf("Order %d", i), "text": "Thank you for your order.\r\nIt is on its way.",
	}
	if onUnknown != "" {
		email["on_unknown"] = onUnknown
	}
	return NewMail(fmt.Sprintf("%s-%d", run, i), email)
}

// Load is a number of callers who post mails as sane callers do: with an
// Idempotency-Key, and with the same key again, at another producer, while the answer
// is 5xx, 429 or none.
type Load struct {
	APIs    []string
	Callers int
	Rate    float64          // mails begun in a second, by all callers; 0: as fast as they can
	Count   int              // mails in all; 0: until ctx is over
	Mail    func(i int) Mail // the i-th mail, from 0; called concurrently

	// Patience is how long a caller asks again for one mail; Timeout how long it
	// waits for one answer. 0 is 2 min and 10 s.
	Patience, Timeout time.Duration
}

// CallLog keeps every call of a load. It is safe for concurrent use.
type CallLog struct {
	mu       sync.Mutex
	calls    []check.Call
	accepted int
	refused  int
}

func (l *CallLog) note(c check.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	switch {
	case c.Status >= 200 && c.Status < 300:
		l.accepted++
	case c.Status >= 400 && !again(c.Status):
		l.refused++
	}
}

// Calls lists all calls so far.
func (l *CallLog) Calls() []check.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]check.Call(nil), l.calls...)
}

// Accepted counts the calls that were answered 2xx, Refused those answered for good
// otherwise.
func (l *CallLog) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// Refused counts the calls that were refused for good, which a load of good mail never
// is.
func (l *CallLog) Refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// Run posts until Count mails are begun or ctx is over, and returns when every caller
// has its answer or has lost its patience. Each call is noted in the log.
func (l *Load) Run(ctx context.Context, log *CallLog) {
	c := &callers{load: l, log: log, client: newHTTPClient(l)}
	numbers := c.numbers(ctx)
	var all sync.WaitGroup
	for range max(1, l.Callers) {
		all.Go(func() {
			for i := range numbers {
				c.ask(context.WithoutCancel(ctx), i)
			}
		})
	}
	all.Wait()
	c.client.CloseIdleConnections()
}

func newHTTPClient(l *Load) *http.Client {
	timeout := l.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	transport := &http.Transport{MaxIdleConnsPerHost: max(1, l.Callers)}
	return &http.Client{Timeout: timeout, Transport: transport}
}

type callers struct {
	load   *Load
	log    *CallLog
	client *http.Client
}

// numbers hands out the mails at the load's rate. Those that were due while all
// callers were busy are made up for.
func (c *callers) numbers(ctx context.Context) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		begun := time.Now()
		for i := 0; c.load.Count == 0 || i < c.load.Count; i++ {
			if c.load.Rate > 0 {
				due := begun.Add(time.Duration(float64(i) / c.load.Rate * float64(time.Second)))
				if !wait(ctx, time.Until(due)) {
					return
				}
			}
			select {
			case out <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// wait reports whether the time has passed before ctx was over.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask gets one mail accepted, however often that takes.
func (c *callers) ask(ctx context.Context, i int) {
	patience := c.load.Patience
	if patience == 0 {
		patience = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	mail, pause := c.load.Mail(i), 100*time.Millisecond
	for try := i; ; try++ { // callers do not all begin at the same producer
		call, retryAfter := c.call(ctx, c.load.APIs[try%len(c.load.APIs)], mail)
		c.log.note(call)
		if !again(call.Status) {
			return
		}
		// Retry-After tells how soon, jitter keeps callers from coming back as one.
		jittered := pause/2 + rand.N(pause)
		if !wait(ctx, max(min(retryAfter, 2*time.Second), jittered)) {
			return
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// again reports whether a sane caller asks again after this answer; 0 is none.
func again(status int) bool {
	return status == 0 || status == http.StatusTooManyRequests || status >= 500
}

func (c *callers) call(ctx context.Context, api string, m Mail) (_ check.Call, retryAfter time.Duration) {
	call := check.Call{
		Begun: time.Now(), Key: m.Key, Hash: sha256.Sum256(m.Body), Recipients: m.Recipients, OnUnknown: m.OnUnknown,
	}
	status, id, retryAfter := c.post(ctx, api, m)
	call.Status, call.Message, call.Ended = status, id, time.Now()
	return call, retryAfter
}

// post returns status 0 unless the whole answer came.
func (c *callers) post(ctx context.Context, api string, m Mail) (status int, id string, retryAfter time.Duration) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1/emails", bytes.NewReader(m.Body))
	if err != nil {
		return 0, "", 0
	}
	req.Header.Set("Authorization", "Bearer "+APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", m.Key)
	res, err := c.client.Do(req)
	if err != nil {
		return 0, "", 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return 0, "", 0
	}
	var receipt wire.Receipt
	if res.StatusCode < 300 && json.Unmarshal(body, &receipt) != nil {
		return 0, "", 0
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return res.StatusCode, receipt.ID, time.Duration(seconds) * time.Second
}
