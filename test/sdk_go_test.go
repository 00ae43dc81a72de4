package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resend/resend-go/v3"
)

// sdkTimeout is the patience of the SDK's client. A busy machine takes more than half a
// minute for the bodies that are too large.
const sdkTimeout = 3 * time.Minute

func TestResendsSDKForGoWorksUnchanged(t *testing.T) {
	files := filesToFetch(t)
	inBothModes(t, setting{env: files.allowed()}, func(s *stack) {
		c := &goSDK{TB: s.TB, stack: s, Client: s.resend(apiKey)}
		for name, tell := range map[string]func(){
			"send, get and attachments": c.sendAndGet, "list": c.list, "schedule, update and cancel": c.scheduled,
			"idempotency": c.idempotent, "batch": c.batch, "errors": c.errors, "keys": c.keys, "every call": c.everyCall,
			"templates": c.templates, "API keys": c.apiKeys, "limits": c.limits, "files by their path": c.paths(files),
			"stray paths": c.strayPaths, "two at once": c.together(files),
			"too many at once": c.crowd(files),
		} {
			s.TB.(*testing.T).Run(name, func(t *testing.T) {
				c.TB = t
				tell()
			})
		}
	})
}

// goSDK is Resend's client for Go and what the checks share.
type goSDK struct {
	testing.TB
	*resend.Client
	stack *stack
}

// resend is the client as an application makes it, with another base URL.
func (s *stack) resend(key string) *resend.Client {
	client := resend.NewCustomClient(&http.Client{Timeout: sdkTimeout}, key)
	base, err := url.Parse(s.api + "/v1/")
	if err != nil {
		s.Fatal(err)
	}
	client.BaseURL = base
	return client
}

func letter(change ...func(*resend.SendEmailRequest)) *resend.SendEmailRequest {
	r := &resend.SendEmailRequest{From: "Shop <shop@sender.example>", To: []string{"ann@example.com"}, Subject: "A story", Text: "Once."}
	for _, c := range change {
		c(r)
	}
	return r
}

func (c *goSDK) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// refused holds an error against what it must say: the SDK keeps no more of it.
func (c *goSDK) refused(err error, says string) {
	c.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "[ERROR]: ") || !strings.Contains(err.Error(), says) {
		c.Errorf("%v, want an error that says %q", err, says)
	}
}

func (c *goSDK) send(change ...func(*resend.SendEmailRequest)) string {
	c.Helper()
	sent, err := c.Emails.Send(letter(change...))
	c.ok(err)
	return sent.Id
}

func (c *goSDK) sendAndGet() {
	picture := []byte{0, 1, 2, 254, 255}
	id := c.send(func(r *resend.SendEmailRequest) {
		r.To, r.Cc, r.Bcc = []string{"Ann <ann@go.example>"}, []string{"bob@go.example"}, []string{"carol@go.example"}
		r.ReplyTo, r.Html, r.Headers = "help@sender.example", `<img src="cid:logo">`, map[string]string{"X-Campaign": "spring"}
		r.Tags = []resend.Tag{{Name: "kind", Value: "story"}}
		r.Attachments = []*resend.Attachment{
			{Filename: "logo.png", Content: picture, ContentId: "logo"}, {Filename: "a.txt", Content: []byte("hi"), ContentType: "text/plain"},
		}
	})
	c.stack.await(id, "sent")
	got, err := c.Emails.Get(id)
	c.ok(err)
	if got.Id != id || got.Object != "email" || got.LastEvent != "sent" || got.Subject != "A story" || got.Text != "Once." ||
		!slices.Equal(got.To, []string{"Ann <ann@go.example>"}) || !slices.Equal(got.Cc, []string{"bob@go.example"}) ||
		!slices.Equal(got.Bcc, []string{"carol@go.example"}) || !slices.Equal(got.ReplyTo, []string{"help@sender.example"}) {
		c.Errorf("%+v", got)
	}
	if _, err := time.Parse(time.RFC3339, got.CreatedAt); err != nil {
		c.Error(err)
	}
	c.attachments(id, picture)
	reached := 0
	for _, m := range c.stack.relay.Mails() {
		if strings.HasSuffix(m.Rcpts[0], "@go.example") {
			reached++
		}
	}
	if reached != 3 {
		c.Errorf("%d of 3 mails reached the relay host", reached)
	}
}

func (c *goSDK) attachments(id string, picture []byte) {
	list, err := c.Emails.ListAttachments(id)
	c.ok(err)
	if list.Object != "list" || list.HasMore || len(list.Data) != 2 {
		c.Fatalf("%+v", list)
	}
	limit := 1
	page, err := c.Emails.ListAttachmentsWithOptions(c.Context(), id, &resend.ListOptions{Limit: &limit, After: &list.Data[0].Id})
	if c.ok(err); len(page.Data) != 1 || page.Data[0].Id != list.Data[1].Id || page.HasMore {
		c.Errorf("%+v", page)
	}
	for i, want := range [][]byte{picture, []byte("hi")} {
		file, err := c.Emails.GetAttachment(id, list.Data[i].Id)
		c.ok(err)
		if file.Object != "attachment" || file.Filename != []string{"logo.png", "a.txt"}[i] || file.ContentId != []string{"logo", ""}[i] ||
			file.ContentDisposition != []string{"inline", "attachment"}[i] || file.ContentType == "" {
			c.Errorf("%+v", file)
		}
		if end, err := time.Parse(time.RFC3339, file.ExpiresAt); err != nil || time.Until(end) < 50*time.Minute {
			c.Errorf("expires_at %s: %v", file.ExpiresAt, err)
		}
		if data := c.download(file.DownloadUrl); !bytes.Equal(data, want) {
			c.Errorf("%s: %v", file.Filename, data)
		}
	}
	_, err = c.Emails.GetAttachment(id, id)
	c.refused(err, "no such attachment")
}

func (c *goSDK) download(link string) []byte {
	c.Helper()
	response, err := http.Get(link)
	c.ok(err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	c.ok(err)
	return data
}

func (c *goSDK) list() {
	var ids []string
	for range 3 {
		ids = slices.Insert(ids, 0, c.send())
	}
	limit := 2
	first, err := c.Emails.ListWithOptions(c.Context(), &resend.ListOptions{Limit: &limit})
	c.ok(err)
	if first.Object != "list" || !first.HasMore || len(first.Data) != 2 || first.Data[0].Id != ids[0] || first.Data[1].LastEvent == "" {
		c.Errorf("%+v", first)
	}
	next, err := c.Emails.ListWithOptions(c.Context(), &resend.ListOptions{Limit: &limit, After: &ids[1]})
	if c.ok(err); len(next.Data) == 0 || next.Data[0].Id != ids[2] {
		c.Errorf("%+v", next)
	}
	back, err := c.Emails.ListWithOptions(c.Context(), &resend.ListOptions{Before: &ids[2]})
	if c.ok(err); len(back.Data) != 2 || back.HasMore {
		c.Errorf("%+v", back)
	}
	all, err := c.Emails.List()
	if c.ok(err); len(all.Data) < 3 {
		c.Errorf("%+v", all)
	}
	limit = 0
	_, err = c.Emails.ListWithOptions(c.Context(), &resend.ListOptions{Limit: &limit})
	c.refused(err, "/limit: must be a number from 1 to 100")
}

func later(ahead time.Duration) string { return time.Now().Add(ahead).Format(time.RFC3339) }

func (c *goSDK) scheduled() {
	id := c.send(func(r *resend.SendEmailRequest) { r.ScheduledAt = later(time.Hour) })
	moved, err := c.Emails.Update(&resend.UpdateEmailRequest{Id: id, ScheduledAt: later(2 * time.Hour)})
	if c.ok(err); moved.Id != id || moved.Object != "email" {
		c.Errorf("%+v", moved)
	}
	canceled, err := c.Emails.Cancel(id)
	if c.ok(err); canceled.Id != id || canceled.Object != "email" {
		c.Errorf("%+v", canceled)
	}
	got, err := c.Emails.Get(id)
	if c.ok(err); got.LastEvent != "canceled" {
		c.Errorf("%+v", got)
	}
	_, err = c.Emails.Cancel(id)
	c.refused(err, "every recipient has been dealt with")
	_, err = c.Emails.Update(&resend.UpdateEmailRequest{Id: id, ScheduledAt: later(time.Hour)})
	c.refused(err, "every recipient is being sent to")
	_, err = c.Emails.Update(&resend.UpdateEmailRequest{Id: id, ScheduledAt: "tomorrow"})
	c.refused(err, "/scheduled_at: ")
}

func (c *goSDK) idempotent() {
	var ids []string
	for range 2 {
		sent, err := c.Emails.SendWithOptions(c.Context(), letter(), &resend.SendEmailOptions{IdempotencyKey: "go-once"})
		c.ok(err)
		ids = append(ids, sent.Id)
	}
	if ids[0] != ids[1] {
		c.Errorf("two ids: %v", ids)
	}
	other := letter(func(r *resend.SendEmailRequest) { r.Subject = "other" })
	_, err := c.Emails.SendWithOptions(c.Context(), other, &resend.SendEmailOptions{IdempotencyKey: "go-once"})
	c.refused(err, "Idempotency-Key was used for another request")
	_, err = c.Emails.SendWithOptions(c.Context(), other, &resend.SendEmailOptions{IdempotencyKey: strings.Repeat("k", 257)})
	c.refused(err, "1 to 256")
}

func (c *goSDK) batch() {
	strict, err := c.Batch.Send([]*resend.SendEmailRequest{letter(), letter(func(r *resend.SendEmailRequest) { r.Subject = "second" })})
	c.ok(err)
	if len(strict.Data) != 2 || len(strict.Errors) != 0 {
		c.Fatalf("%+v", strict)
	}
	if got, err := c.Emails.Get(strict.Data[1].Id); err != nil || got.Subject != "second" {
		c.Errorf("%+v, %v", got, err)
	}
	bad := letter(func(r *resend.SendEmailRequest) { r.To = []string{"nobody"} })
	mixed := []*resend.SendEmailRequest{letter(), bad}
	_, err = c.Batch.SendWithContext(c.Context(), mixed)
	c.refused(err, "/1/to/0: ")
	options := &resend.BatchSendEmailOptions{BatchValidation: resend.BatchValidationPermissive, IdempotencyKey: "go-batch"}
	first, err := c.Batch.SendWithOptions(c.Context(), mixed, options)
	c.ok(err)
	if len(first.Data) != 1 || len(first.Errors) != 1 || first.Errors[0].Index != 1 || !strings.HasPrefix(first.Errors[0].Message, "/to/0: ") {
		c.Errorf("%+v", first)
	}
	again, err := c.Batch.SendWithOptions(c.Context(), mixed, options)
	if c.ok(err); fmt.Sprint(again) != fmt.Sprint(first) {
		c.Errorf("%+v, then %+v", first, again)
	}
	options.BatchValidation = resend.BatchValidationStrict
	_, err = c.Batch.SendWithOptions(c.Context(), mixed[:1], options)
	c.refused(err, "Idempotency-Key was used for another request")
}

func (c *goSDK) errors() {
	for says, change := range map[string]func(*resend.SendEmailRequest){
		"/from: ": func(r *resend.SendEmailRequest) { r.From = "nobody" },
		"/to: ":   func(r *resend.SendEmailRequest) { r.To = nil },
		"/text: ": func(r *resend.SendEmailRequest) { r.Text = "" },
		"/attachments/0/filename: ": func(r *resend.SendEmailRequest) {
			r.Attachments = []*resend.Attachment{{Filename: "a\r\nb", Content: []byte("x")}}
		},
		"/attachments/0/content: ": func(r *resend.SendEmailRequest) { r.Attachments = []*resend.Attachment{{Filename: "a"}} },
		"/headers/Bcc: ":           func(r *resend.SendEmailRequest) { r.Headers = map[string]string{"Bcc": "x@example.com"} },
	} {
		_, err := c.Emails.Send(letter(change))
		c.refused(err, says)
	}
	_, err := c.Emails.Get(nobody)
	c.refused(err, "no such email")
	_, err = c.Emails.Cancel(nobody)
	c.refused(err, "no such email")
	_, err = c.Emails.Update(&resend.UpdateEmailRequest{Id: nobody, ScheduledAt: later(time.Hour)})
	c.refused(err, "no such email")
	_, err = c.Emails.ListAttachments(nobody)
	c.refused(err, "no such email")
}

func (c *goSDK) keys() {
	_, err := c.stack.resend("re_wrong").Emails.Send(letter())
	c.refused(err, "not known here")
	_, err = c.stack.resend("").Batch.Send([]*resend.SendEmailRequest{letter()})
	c.refused(err, "Bearer")
}
