// Package exchange asks a Postrider server over HTTP, and asks again while that may
// help. The public client and the command-line tool both stand on it.
package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// maxAnswer bounds what is read of an answer: a message of 25 MB whose every sign is
// escaped.
const maxAnswer = 160 << 20

// Config says which server to ask and how. URL and Key are required.
type Config struct {
	URL       string // without a slash at its end
	Key       string
	UserAgent string
	// Patience is how long a request is repeated while the server is away or cannot
	// take it; 0: it is not repeated. Ctx may end it earlier.
	Patience time.Duration
	// Repeating, if not nil, is told once why a request is being repeated.
	Repeating func(error)
	// HTTP makes the connections; nil: a client with a limit of two minutes for each
	// try. Redirects are not followed whatever it says: the key is for one server.
	HTTP *http.Client
}

// Exchange asks one server. Safe for concurrent use.
type Exchange struct {
	config Config
	http   *http.Client
}

// New returns an Exchange. It opens no connection yet.
func New(config Config) *Exchange {
	client := http.Client{Timeout: 2 * time.Minute}
	if config.HTTP != nil {
		client = *config.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Exchange{config: config, http: &client}
}

// Request is one call of the API.
type Request struct {
	Method string
	Path   string // with the query
	Body   []byte // JSON; nil: none
	Key    string // the idempotency key; "": none

	once bool // a second one would do another thing
}

// Do sends the request and reads the answer's JSON into answer. The error is a
// *Problem unless the status is 2xx, or wraps ErrUnreachable, or is the end of ctx;
// it is another where nothing can be asked with what was given.
//
// It is repeated while Patience lasts: whatever has an idempotency key or only reads,
// also where nobody knows whether the server has done it; anything else only where
// the server said that it has not.
func (e *Exchange) Do(ctx context.Context, r Request, answer any) (header http.Header, err error) {
	r.once = r.Key == "" && r.Method != http.MethodGet
	err = e.patiently(ctx, r.once, func() error {
		header, err = e.try(ctx, r, answer)
		return err
	})
	return header, err
}

func (e *Exchange) try(ctx context.Context, r Request, answer any) (http.Header, error) {
	request, err := e.request(ctx, r)
	if err != nil {
		return nil, err
	}
	response, err := e.http.Do(request)
	if err != nil {
		return nil, e.unreachable(ctx, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, e.unreachable(ctx, err)
	}
	if response.StatusCode/100 != 2 {
		return response.Header, problemOf(response, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return response.Header, fmt.Errorf("%s does not answer like a Postrider server: %w", e.config.URL, err)
	}
	return response.Header, nil
}

func (e *Exchange) request(ctx context.Context, r Request) (*http.Request, error) {
	switch {
	case strings.ContainsFunc(e.config.Key, unicode.IsControl):
		return nil, errors.New("make request: the API key must not contain line breaks or other control characters")
	case strings.ContainsFunc(r.Key, unicode.IsControl):
		return nil, errors.New("make request: the idempotency key must not contain line breaks or other control characters")
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, e.config.URL+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+e.config.Key)
	request.Header.Set("User-Agent", e.config.UserAgent)
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		request.Header.Set("Idempotency-Key", r.Key)
	}
	return request, nil
}

// ErrUnreachable: no answer came from the server. Whether a request was carried out
// is not known; repeating it with the same key finds out.
var ErrUnreachable = errors.New("cannot be reached")

func (e *Exchange) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var detail *url.Error // its text repeats method and address
	if errors.As(err, &detail) {
		err = detail.Err
	}
	return fmt.Errorf("the server at %s %w: %w", e.config.URL, ErrUnreachable, err)
}
