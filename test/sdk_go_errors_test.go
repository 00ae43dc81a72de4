package test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/resend/resend-go/v3"
)

func TestResendsSDKForGoIsToldWhichBodiesAreRefused(t *testing.T) {
	aloneInBothModes(t, setting{}, func(s *stack) {
		c := &goSDK{TB: s.TB, stack: s, Client: s.resend(apiKey)}
		c.refusedBodies()
	})
}

// refusedBodies are too large, too deep, or not said to be JSON. The last two no method of
// the SDK brings about; its NewRequest and Perform, which are there for what methods lack, do.
func (c *goSDK) refusedBodies() {
	large := letter(func(r *resend.SendEmailRequest) { r.Text = strings.Repeat("x", 62<<20) })
	_, err := c.Emails.Send(large)
	c.refused(err, "the body must be at most")
	large.Text = strings.Repeat("x", 76<<20)
	_, err = c.Batch.Send([]*resend.SendEmailRequest{large})
	c.refused(err, "the body must be at most")
	var deep []any
	for range 16 {
		deep = []any{deep}
	}
	c.refused(c.perform(http.MethodPost, "emails", map[string]any{"tags": deep}), "nested deeper")
	for _, change := range []func(http.Header){
		func(h http.Header) { h.Set("Content-Type", "text/plain") },
		func(h http.Header) { h.Set("Content-Encoding", "gzip") },
	} {
		c.refused(c.perform(http.MethodPost, "emails", letter(), change), "send ")
	}
}

// strayPaths are those that no method of the SDK has.
func (c *goSDK) strayPaths() {
	c.refused(c.perform(http.MethodGet, "nowhere", nil), "there is nothing at this path")
	c.refused(c.perform(http.MethodPut, "emails", letter()), "allowed here: GET, HEAD, POST")
}

// perform sends what no method of the SDK does, and returns its error.
func (c *goSDK) perform(method, path string, body any, change ...func(http.Header)) error {
	c.Helper()
	r, err := c.NewRequest(c.Context(), method, path, body)
	c.ok(err)
	for _, one := range change {
		one(r.Header)
	}
	_, err = c.Perform(r, nil) //nolint:bodyclose // Perform closes it
	return err
}

// together sends two requests with one key that are both in the midst of it at the same
// moment: each waits for a file that is handed out when both have asked for it.
func (c *goSDK) together(files fileHost) func() {
	return func() {
		key := uuid.NewString()
		both := letter(func(r *resend.SendEmailRequest) {
			r.Attachments = []*resend.Attachment{{Path: files.URL + "/both/" + key, Filename: "both.txt"}}
		})
		client, notes := c.stack.noting(apiKey)
		ids := make(chan string, 2)
		for range cap(ids) {
			go func() {
				sent, err := client.Emails.SendWithOptions(c.Context(), both, &resend.SendEmailOptions{IdempotencyKey: key})
				if err != nil {
					c.Error(err)
					sent = &resend.SendEmailResponse{}
				}
				ids <- sent.Id
			}()
		}
		if first, second := <-ids, <-ids; first != second || first == "" {
			c.Errorf("%s and %s", first, second)
		}
		replayed := 0
		for _, n := range notes.take() {
			if n.header.Get("Idempotency-Replayed") == "true" {
				replayed++
			}
		}
		if replayed != 1 {
			c.Errorf("%d of two answers are the repetition", replayed)
		}
	}
}

// crowd sends more messages with files than are fetched for a tenant at once. A file is
// handed out when two have asked for it, of whom the second is this check.
func (c *goSDK) crowd(files fileHost) func() {
	return func() {
		client, notes := c.stack.noting(apiKey)
		errs := make(chan error)
		var paths []string
		for range 5 {
			path := files.URL + "/both/" + uuid.NewString()
			paths = append(paths, path)
			go func() {
				_, err := client.Emails.SendWithContext(c.Context(), letter(func(r *resend.SendEmailRequest) {
					r.Attachments = []*resend.Attachment{{Path: path, Filename: "a.txt"}}
				}))
				errs <- err
			}()
		}
		c.refused(<-errs, "too many files")
		(&inTrouble{c, notes}).unavailable()
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		for _, path := range paths {
			go ask(ctx, path)
		}
		for range len(paths) - 1 {
			if err := <-errs; err != nil {
				c.Error(err)
			}
		}
	}
}

// ask is the second who asks for a file, if there is a first.
func ask(ctx context.Context, path string) {
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
	}
}
