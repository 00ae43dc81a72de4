package exchange

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Copy reads a path and writes the answer to w as it comes, however long that takes.
// It is tried once. The error is as that of Do; after one, what was written is not
// all.
func (e *Exchange) Copy(ctx context.Context, path string, w io.Writer) error {
	request, err := e.request(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	patient := *e.http
	patient.Timeout = 0
	response, err := patient.Do(request)
	if err != nil {
		return e.unreachable(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return e.unreachable(ctx, err)
		}
		return problemOf(response, text)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("broken off, what was written is not all: %w", err)
	}
	return nil
}
