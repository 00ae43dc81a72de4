package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postrider/postrider/internal/exchange"
	"github.com/postrider/postrider/internal/wire"
)

// Query selects messages: those to which everything applies that is not zero. The
// zero value is the newest page.
type Query struct {
	Status        string // has a recipient in this state
	Lane          string
	Recipient     string            // an address
	Subject       string            // a part of it, in either case
	Tag           string            // a name, or name:value
	Metadata      map[string]string // all of these
	Template      string            // an id or an alias
	CreatedAfter  string            // RFC 3339
	CreatedBefore string            // RFC 3339
	After         string            // only older than this id
	Before        string            // only newer than this id
	Limit         int
}

func (q *Query) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{
		"status": q.Status, "lane": q.Lane, "recipient": q.Recipient, "subject": q.Subject, "tag": q.Tag,
		"template":      q.Template,
		"created_after": q.CreatedAfter, "created_before": q.CreatedBefore, "after": q.After, "before": q.Before,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for key, value := range q.Metadata {
		values.Set("metadata."+key, value)
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return values
}

// Emails asks for one page of messages, newest first.
func (c *Client) Emails(ctx context.Context, q Query) (wire.List, error) {
	var list wire.List
	err := c.ask(ctx, http.MethodGet, "/v1/emails?"+q.values().Encode(), &list)
	return list, err
}

// Events asks what happened to a message, oldest first.
func (c *Client) Events(ctx context.Context, id string) (wire.Events, error) {
	var events wire.Events
	err := c.ask(ctx, http.MethodGet, "/v1/emails/"+url.PathEscape(id)+"/events", &events)
	return events, err
}

// Try asks what a post of the body would come to. Nothing is stored.
func (c *Client) Try(ctx context.Context, body []byte) (wire.DryRun, error) {
	var run wire.DryRun
	_, err := c.Do(ctx, exchange.Request{Method: http.MethodPost, Path: "/v1/emails?dry_run=true", Body: body}, &run)
	return run, err
}

// Export writes every message that the query selects to w, as CSV. An error means
// that what was written is not all.
func (c *Client) Export(ctx context.Context, q Query, w io.Writer) error {
	return c.Copy(ctx, "/v1/emails.csv?"+q.values().Encode(), w)
}

// Content writes the mail of a message to w. An error means that what was written
// is not all.
func (c *Client) Content(ctx context.Context, id string, w io.Writer) error {
	return c.Copy(ctx, "/v1/emails/"+url.PathEscape(id)+"/content", w)
}
