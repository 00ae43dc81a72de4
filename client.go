package postrider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/exchange"
)

// Config says which server a Client asks.
type Config struct {
	URL string // of the API, such as http://127.0.0.1:8080
	Key string // one of its API keys
	// HTTP makes the connections; nil: a client that waits two minutes for an answer.
	// It follows no redirect, whatever it says.
	HTTP *http.Client
	// Patience is how long a call is repeated while the server is away or has no time;
	// 0: one minute, negative: it is not repeated. The caller's context may end it
	// earlier.
	Patience time.Duration
}

// Client asks a Postrider server over HTTP. Safe for concurrent use.
//
// Calls that fail for want of the server are repeated with growing, random pauses, as
// long as Config.Patience and the context allow; a wait that the server asks for is
// kept. What nobody knows to have happened is repeated only where that cannot do it
// twice. The error of a call is an *Error, or wraps ErrUnreachable, or is that of the
// context; where what was passed cannot be sent at all, it is another, at once.
type Client struct{ api *exchange.Exchange }

// NewClient returns a client. It opens no connection yet.
func NewClient(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(c.URL, "?#") || u.User != nil {
		return nil, errors.New("postrider: the URL must be http(s)://host, with a path at most")
	}
	if c.Key == "" {
		return nil, errors.New("postrider: an API key is required")
	}
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	return &Client{exchange.New(exchange.Config{
		URL: strings.TrimRight(c.URL, "/"), Key: c.Key, HTTP: c.HTTP, Patience: c.Patience, UserAgent: "postrider-go",
	})}, nil
}

// Receipt is the answer to a post: the message is committed.
type Receipt struct {
	ID       string `json:"id"`
	Status   Status `json:"status"`
	Replayed bool   `json:"-"` // the key was used before for this email; ID is its message
}

// Send posts an email and returns once it is committed: from then on it is Postrider's
// to deliver. Without an idempotency key it makes one up, so that its own repetitions
// send nothing twice.
func (c *Client) Send(ctx context.Context, e Email) (Receipt, error) {
	body, err := exchange.Body(e)
	if err != nil {
		return Receipt{}, fmt.Errorf("write the email: %w", err)
	}
	key := e.IdempotencyKey
	if key == "" {
		key = "go-" + rand.Text()
	}
	var receipt Receipt
	header, err := c.do(ctx, exchange.Request{Method: http.MethodPost, Path: "/v1/emails", Body: body, Key: key}, &receipt)
	receipt.Replayed = header.Get("Idempotency-Replayed") == "true"
	return receipt, err
}

// Get asks for a message with all that happened to it.
func (c *Client) Get(ctx context.Context, id string) (*Message, error) {
	var m Message
	if _, err := c.do(ctx, exchange.Request{Method: http.MethodGet, Path: path(id)}, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

// Query selects messages of a list. The zero value is the newest page.
type Query struct {
	Status Status // has a recipient in this state; "": any
	After  string // only older than this id: the next page
	Before string // only newer than this id: the page before
	Limit  int    // 1 to 100; 0: the server's choice
}

// List asks for one page of messages, newest first, without what is long or belongs
// to one recipient.
func (c *Client) List(ctx context.Context, q Query) (*Page, error) {
	values := url.Values{}
	for name, value := range map[string]string{"status": string(q.Status), "after": q.After, "before": q.Before} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	var p Page
	if _, err := c.do(ctx, exchange.Request{Method: http.MethodGet, Path: "/v1/emails?" + values.Encode()}, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// Cancel stops the recipients that can still be stopped and returns how many those
// were. Where there are none the error is an *Error with the code not_cancelable.
func (c *Client) Cancel(ctx context.Context, id string) (recipients int, err error) {
	return c.change(ctx, exchange.Request{Method: http.MethodPost, Path: path(id) + "/cancel"})
}

// Retry tries the recipients again that ended otherwise than sent, and returns how
// many those were. Where there are none the error is an *Error with the code
// not_retryable.
func (c *Client) Retry(ctx context.Context, id string) (recipients int, err error) {
	return c.change(ctx, exchange.Request{Method: http.MethodPost, Path: path(id) + "/retry"})
}

// Reschedule moves the recipients that still wait to another time, one that is past
// to at once, and returns how many those were. Where there are none the error is an
// *Error with the code not_cancelable.
func (c *Client) Reschedule(ctx context.Context, id string, at time.Time) (recipients int, err error) {
	body, err := json.Marshal(map[string]time.Time{"scheduled_at": at})
	if err != nil {
		return 0, fmt.Errorf("write the time: %w", err)
	}
	return c.change(ctx, exchange.Request{Method: http.MethodPatch, Path: path(id), Body: body})
}

func (c *Client) change(ctx context.Context, r exchange.Request) (int, error) {
	var changed struct {
		Recipients int `json:"recipients"`
	}
	_, err := c.do(ctx, r, &changed)
	return changed.Recipients, err
}

func path(id string) string { return "/v1/emails/" + url.PathEscape(id) }

func (c *Client) do(ctx context.Context, r exchange.Request, answer any) (http.Header, error) {
	header, err := c.api.Do(ctx, r, answer)
	var p *exchange.Problem
	if errors.As(err, &p) {
		err = newError(p)
	}
	return header, err
}

// ErrUnreachable: no answer came from the server. Whether it did what was asked is not
// known; asking again with the same idempotency key finds out.
var ErrUnreachable = exchange.ErrUnreachable

// Error is a request that the server refused. It changed nothing.
type Error struct {
	Status     int           // of HTTP
	Code       string        // the stable name of the reason, such as validation_error
	Detail     string        // says it for people
	Fields     []FieldError  // what is wrong where, with the code validation_error
	RequestID  string        // to find the request in the server's log
	RetryAfter time.Duration // the wait that the server asked for; 0: none
}

// FieldError is what is wrong in one place of a request.
type FieldError struct {
	Pointer string // RFC 6901, such as /to/0
	Code    string
	Detail  string
}

func newError(p *exchange.Problem) *Error {
	e := &Error{Status: p.Status, Code: p.Code, Detail: p.Detail, RequestID: p.RequestID, RetryAfter: p.RetryAfter}
	for _, f := range p.Fields {
		e.Fields = append(e.Fields, FieldError(f))
	}
	return e
}

// Error lists every fault, one to a line.
func (e *Error) Error() string {
	p := exchange.Problem{Status: e.Status, Code: e.Code, Detail: e.Detail, RequestID: e.RequestID}
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, exchange.Fault(f))
	}
	return p.Error()
}
