package main

import (
	"context"
	"fmt"

	"github.com/postrider/postrider/internal/client"
)

// cancelCmd stops a message.
type cancelCmd struct {
	ID string `arg:"" help:"The message."`
}

// Help is the long help text.
func (cancelCmd) Help() string {
	return `A recipient can be stopped until its mail is at the point of no return. Where none can be stopped any more, nothing is changed and the exit code is 1.`
}

// Run stops what can be stopped.
func (c *cancelCmd) Run(ctx context.Context, t *terminal) error {
	return change(t, "canceled", func(api *client.Client) (int, error) { return api.Cancel(ctx, c.ID) })
}

// retryCmd tries a message again.
type retryCmd struct {
	ID string `arg:"" help:"The message."`
}

// Help is the long help text.
func (retryCmd) Help() string {
	return `Recipients that are failed, unknown or canceled are queued again at once, with all their tries before them. Recipients that were sent to are left alone. A recipient that is unknown may get the mail twice.`
}

// Run queues again what has ended otherwise than sent.
func (c *retryCmd) Run(ctx context.Context, t *terminal) error {
	return change(t, "queued again", func(api *client.Client) (int, error) { return api.Retry(ctx, c.ID) })
}

func change(t *terminal, done string, step func(*client.Client) (int, error)) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	n, err := step(api)
	if err != nil {
		return advise(err)
	}
	noun := "recipients"
	if n == 1 {
		noun = "recipient"
	}
	_, err = fmt.Fprintf(t.out, "%d %s %s\n", n, noun, done)
	return err
}
