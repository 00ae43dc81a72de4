package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Export writes every message that the query selects to w, as CSV. An error means
// that what was written is not all.
func (c *Client) Export(ctx context.Context, q Query, w io.Writer) error {
	return c.copy(ctx, "/v1/emails.csv?"+q.values().Encode(), w)
}

// Content writes the mail of a message to w. An error means that what was written
// is not all.
func (c *Client) Content(ctx context.Context, id string, w io.Writer) error {
	return c.copy(ctx, "/v1/emails/"+url.PathEscape(id)+"/content", w)
}

// copy writes an answer as it comes, however long that takes.
func (c *Client) copy(ctx context.Context, path string, w io.Writer) error {
	request, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	patient := *c.http
	patient.Timeout = 0
	response, err := patient.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return c.unreachable(ctx, err)
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
