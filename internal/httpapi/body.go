package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/internal/message"
)

// intake bounds what bodies occupy: each one, and all together.
type intake struct {
	each int64
	all  *semaphore.Weighted
}

// body reads a request body within the bounds. What it has read counts against
// the sum of all until close, so that peers that announce much and send little
// take nothing from others.
type body struct {
	from  io.Reader
	all   *semaphore.Weighted
	taken int64
	err   error // why reading ended early; nil at the end
}

// open checks what the headers say of the body and returns it.
func (in intake) open(w http.ResponseWriter, r *http.Request) (*body, error) {
	if err := checkEncoding(w, r.Header); err != nil {
		return nil, err
	}
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > in.each {
		return nil, bodyTooLarge(in.each)
	}
	return &body{from: http.MaxBytesReader(w, r.Body, in.each), all: in.all}, nil
}

func bodyTooLarge(limit int64) *message.Error {
	return fault(message.CodeBodyTooLarge, fmt.Sprintf("the body must be at most %d bytes", limit))
}

func checkEncoding(w http.ResponseWriter, h http.Header) error {
	for _, encoding := range h.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			w.Header().Set("Accept-Encoding", "identity") // RFC 9110, 15.5.16
			return fault(message.CodeUnsupportedMediaType, "send the body without Content-Encoding")
		}
	}
	return nil
}

func checkMediaType(h http.Header) error {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fault(message.CodeUnsupportedMediaType, "send JSON, in UTF-8, with the header Content-Type: application/json")
	}
	return nil
}

// Read implements io.Reader. It takes from the sum what has come, not what is
// asked for: a peer that sends nothing holds nothing.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = slow(err)
		return n, b.err
	}
	if !b.all.TryAcquire(weight(n)) {
		b.err = fault(codeOverloaded, "too many large requests are being read at once; repeat this one shortly")
		return 0, b.err
	}
	b.taken += weight(n)
	return n, err
}

// weight is what bytes of a body occupy: themselves, and what they decode to, which for
// base64 is three quarters of them.
func weight(n int) int64 { return int64(n) + int64(n)*3/4 }

// slow tells a peer that ran out of time from one that went away.
func slow(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault(codeRequestTimeout, "the body did not arrive in time")
	}
	return err
}

// cause is what really went wrong where decoding failed with err: a decoder
// that is cut off in the middle blames the text.
func (b *body) cause(err error) error {
	if err != nil && b.err != nil {
		return b.err
	}
	return err
}

// close gives back what the body took from the sum.
func (b *body) close() {
	b.all.Release(b.taken)
	b.taken = 0
}
