// Package client speaks Postrider's HTTP API for the command-line tool, in the
// words that the server itself uses.
package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/postrider/postrider/internal/exchange"
	"github.com/postrider/postrider/internal/wire"
)

// Config says which server to ask and how.
type Config = exchange.Config

// Problem is a request that the server refused.
type Problem = exchange.Problem

// ErrUnreachable: no answer came from the server.
var ErrUnreachable = exchange.ErrUnreachable

// Client asks one server. Safe for concurrent use.
type Client struct{ *exchange.Exchange }

// New returns a client. It opens no connection yet.
func New(config Config) *Client { return &Client{exchange.New(config)} }

// Accepted is the answer to a post: the message is committed.
type Accepted struct {
	wire.Receipt
	Replayed bool // an earlier post with the same key was accepted; ID is its message
}

// Send posts a message. Body is its JSON. The key makes it safe to repeat, and
// it is repeated while the server answers that it cannot take it now, or cannot
// be reached. The error is a *Problem, or wraps ErrUnreachable.
func (c *Client) Send(ctx context.Context, body []byte, key string) (Accepted, error) {
	var accepted Accepted
	header, err := c.Do(ctx, exchange.Request{Method: http.MethodPost, Path: "/v1/emails", Body: body, Key: key}, &accepted.Receipt)
	accepted.Replayed = header.Get("Idempotency-Replayed") == "true"
	return accepted, err
}

// Email asks for a message with all that happened to it.
func (c *Client) Email(ctx context.Context, id string) (wire.Email, error) {
	var email wire.Email
	err := c.ask(ctx, http.MethodGet, "/v1/emails/"+url.PathEscape(id), &email)
	return email, err
}

// Cancel stops the recipients that can still be stopped and returns how many.
func (c *Client) Cancel(ctx context.Context, id string) (int, error) {
	return c.change(ctx, id, "cancel")
}

// Retry tries the recipients again that ended otherwise than sent, and returns
// how many those were.
func (c *Client) Retry(ctx context.Context, id string) (int, error) {
	return c.change(ctx, id, "retry")
}

func (c *Client) change(ctx context.Context, id, step string) (int, error) {
	var changed struct {
		Recipients int `json:"recipients"`
	}
	err := c.ask(ctx, http.MethodPost, "/v1/emails/"+url.PathEscape(id)+"/"+step, &changed)
	return changed.Recipients, err
}

func (c *Client) ask(ctx context.Context, method, path string, answer any) error {
	_, err := c.Do(ctx, exchange.Request{Method: method, Path: path}, answer)
	return err
}
