// Package client speaks Postrider's HTTP API for the command-line tool.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/postrider/postrider/internal/wire"
)

// maxAnswer bounds what is read of an answer: a message of 25 MB whose every
// sign is escaped.
const maxAnswer = 160 << 20

// Config says which server to ask and how. URL and Key are required.
type Config struct {
	URL       string // without a slash at its end
	Key       string
	UserAgent string
	// Patience is how long a post is repeated while the server is away or cannot
	// take it; 0: it is not repeated.
	Patience time.Duration
	// Repeating, if not nil, is told once why a post is being repeated.
	Repeating func(error)
}

// Client asks one server. Safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client
}

// New returns a client. It opens no connection yet.
func New(config Config) *Client {
	return &Client{config: config, http: &http.Client{
		Timeout: 2 * time.Minute,
		// An API does not redirect; the key is for this server only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

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
	err := c.patiently(ctx, func() error {
		request, err := c.request(ctx, http.MethodPost, "/v1/emails", body)
		if err != nil {
			return err
		}
		request.Header.Set("Idempotency-Key", key)
		header, err := c.do(request, &accepted.Receipt)
		accepted.Replayed = header.Get("Idempotency-Replayed") == "true"
		return err
	})
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
	request, err := c.request(ctx, method, path, nil)
	if err != nil {
		return err
	}
	_, err = c.do(request, answer)
	return err
}

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.config.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+c.config.Key)
	request.Header.Set("User-Agent", c.config.UserAgent)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// do sends the request and reads the answer, which is a *Problem unless the
// status is 2xx.
func (c *Client) do(request *http.Request, answer any) (http.Header, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(request.Context(), err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(request.Context(), err)
	}
	if response.StatusCode/100 != 2 {
		return response.Header, problemOf(response, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return response.Header, fmt.Errorf("%s does not answer like a Postrider server: %w", c.config.URL, err)
	}
	return response.Header, nil
}

// ErrUnreachable: no answer came from the server. Whether a post was taken is
// not known; repeating it with the same key finds out.
var ErrUnreachable = errors.New("cannot be reached")

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var detail *url.Error // its text repeats method and address
	if errors.As(err, &detail) {
		err = detail.Err
	}
	return fmt.Errorf("the server at %s %w: %w", c.config.URL, ErrUnreachable, err)
}
