package test

import (
	"errors"
	"strings"
	"sync"

	"github.com/resend/resend-go/v3"
)

func (c *goSDK) apiKeys() {
	made, err := c.ApiKeys.Create(&resend.CreateApiKeyRequest{Name: "go", Permission: "sending_access", DomainId: "sender.example"})
	if c.ok(err); made.Id == "" || !strings.HasPrefix(made.Token, "pr_") {
		c.Fatalf("%+v", made)
	}
	c.sendsOnly(c.stack.resend(made.Token))
	all, err := c.ApiKeys.List()
	if c.ok(err); all.Object != "list" || all.HasMore || len(all.Data) == 0 || all.Data[0].Id != made.Id || all.Data[0].Name != "go" || all.Data[0].CreatedAt == "" {
		c.Errorf("%+v", all)
	}
	second, err := c.ApiKeys.Create(&resend.CreateApiKeyRequest{Name: "second"})
	c.ok(err)
	limit := 1
	page, err := c.ApiKeys.ListWithOptions(c.Context(), &resend.ListOptions{Limit: &limit})
	if c.ok(err); !page.HasMore || len(page.Data) != 1 || page.Data[0].Id != second.Id {
		c.Errorf("%+v", page)
	}
	page, err = c.ApiKeys.ListWithOptions(c.Context(), &resend.ListOptions{Limit: &limit, After: &second.Id})
	if c.ok(err); len(page.Data) != 1 || page.Data[0].Id != made.Id {
		c.Errorf("%+v", page)
	}
	if gone, err := c.ApiKeys.Remove(made.Id); err != nil || !gone {
		c.Errorf("%v, %v", gone, err)
	}
	_, err = c.ApiKeys.Remove(made.Id)
	c.refused(err, "no such API key")
	_, err = c.ApiKeys.Create(&resend.CreateApiKeyRequest{Name: "x", Permission: "everything"})
	c.refused(err, "/permission: ")
}

// sendsOnly holds a key that may send from one domain against what it may not.
func (c *goSDK) sendsOnly(by *resend.Client) {
	c.Helper()
	sent, err := by.Emails.Send(letter())
	c.ok(err)
	_, err = by.Emails.Get(sent.Id)
	c.refused(err, "the right to read is missing")
	_, err = by.ApiKeys.List()
	c.refused(err, "the right to administer is missing")
	_, err = by.Emails.Send(letter(func(r *resend.SendEmailRequest) { r.From = "a@bank.example" }))
	c.refused(err, "may not send from bank.example")
}

// limits are told by an error of their own, which has the headers.
func (c *goSDK) limits() {
	by := c.stack.resend(c.stack.makeKey(map[string]any{"name": "slow", "rate": 1}).Token)
	refusals := make(chan error, 12) // at once: however slow the machine is, one a second is less
	var callers sync.WaitGroup
	for range cap(refusals) {
		callers.Go(func() {
			if _, err := by.Emails.Send(letter()); err != nil {
				refusals <- err
			}
		})
	}
	callers.Wait()
	if close(refusals); len(refusals) == 0 {
		c.Error("twelve at once were all within one a second")
	}
	for err := range refusals {
		var limited *resend.RateLimitError
		if !errors.As(err, &limited) || !errors.Is(err, resend.ErrRateLimit) || limited.Limit != "1" || limited.Remaining != "0" ||
			limited.Reset != "1" || limited.RetryAfter != "1" || !strings.Contains(limited.Message, "requests a second") {
			c.Errorf("%+v", err)
		}
	}
	daily := c.stack.resend(c.stack.makeKey(map[string]any{"name": "daily", "daily_quota": 1}).Token)
	_, err := daily.Emails.Send(letter())
	c.ok(err)
	_, err = daily.Emails.Send(letter())
	var limited *resend.RateLimitError
	if !errors.As(err, &limited) || limited.Limit != "" || limited.RetryAfter == "" || !strings.Contains(limited.Message, "recipients a day") {
		c.Errorf("%+v", err)
	}
}
