package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/config"
)

// healthcheckCmd asks a readiness page. It exists because container images
// without a shell have no curl.
type healthcheckCmd struct {
	URL     string        `arg:"" optional:"" help:"The page to ask. Default: /readyz of POSTRIDER_URL."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Help is the long help text.
func (healthcheckCmd) Help() string {
	return `The exit code is 0 when the answer is 2xx. Otherwise the answer is printed: it says which part is wrong.

In a compose file:

    healthcheck:
      test: [CMD, /postrider, healthcheck, "http://127.0.0.1:9090/readyz"]`
}

// Run asks once.
func (c *healthcheckCmd) Run(ctx context.Context, t *terminal) error {
	page, err := c.page()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return usage("%q is not a URL", page)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what came is enough to show
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %s", page, response.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// page does not look at the settings when the URL is given: the check of one
// program must not fail for a setting of another.
func (c *healthcheckCmd) page() (string, error) {
	if c.URL != "" {
		return c.URL, nil
	}
	var settings config.Client
	if err := config.Load(&settings); err != nil {
		return "", err
	}
	return settings.URL.String() + "/readyz", nil
}
