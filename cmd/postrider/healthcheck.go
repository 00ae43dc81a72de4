package main

import (
	"context"
	"encoding/json"
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
	URL     string        `arg:"" optional:"" help:"The page to ask; /readyz where it names none. Default: that of POSTRIDER_URL."`
	Timeout time.Duration `default:"4s" help:"How long to wait for the answer."`
}

// Help is the long help text.
func (healthcheckCmd) Help() string {
	return `Prints each part that the server stands on, and what to do about one that is not well. The exit code is 0 when the answer is 2xx: a server that is degraded still accepts mail.

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
	if err != nil || request.URL.Host == "" || request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return usage("the page is not a URL: write it like http://127.0.0.1:8080/readyz")
	}
	if strings.Trim(request.URL.Path, "/") == "" { // what is there answers 200 as long as anything does
		request.URL.Path = "/readyz"
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what came is enough to show
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %s", request.URL.Redacted(), response.Status, readable(text))
	}
	_, err = fmt.Fprintln(t.out, printable(readable(text)))
	return err
}

// unreachable advises where the settings chose the page, and not the caller.
func (c *healthcheckCmd) unreachable(err error) error {
	err = fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	if c.URL == "" {
		return advise(err)
	}
	return err
}

// readable is the answer of /readyz with one line for each part and, where one
// is not well, one for what to do. Any other answer is left as it is.
func readable(text []byte) string {
	var answer struct {
		Status string
		Checks []struct{ Name, Status, Detail, Remedy string }
	}
	if json.Unmarshal(text, &answer) != nil || answer.Status == "" {
		return strings.TrimSpace(string(text))
	}
	lines := []string{answer.Status}
	for _, c := range answer.Checks {
		line := "  " + c.Name + ": " + c.Status
		if c.Detail != "" {
			line += ", " + c.Detail
		}
		lines = append(lines, line)
		if c.Remedy != "" {
			lines = append(lines, "    "+c.Remedy)
		}
	}
	return strings.Join(lines, "\n")
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
