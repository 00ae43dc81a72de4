package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/exchange"
)

// sendCmd posts one message. Its letter is composed from flags, or taken as it
// is from a JSON file.
type sendCmd struct {
	letter
	File           string        `short:"f" placeholder:"FILE" help:"Post this JSON file as it is (- for standard input) instead of composing from flags."`
	IdempotencyKey string        `placeholder:"KEY" help:"Posting again with the same key returns the first message instead of sending a second. Default: a new one."`
	Wait           bool          `short:"w" help:"Wait until every recipient has an end, and show each change."`
	Timeout        time.Duration `default:"5m" help:"How long --wait waits."`
	Patience       time.Duration `default:"10s" help:"How long to repeat the post, with the same key, while the server is away or cannot take it."`
	DryRun         bool          `help:"Print what would be sent, and send nothing."`
	JSON           bool          `help:"Print the message as JSON at the end."`
}

// Help is the long help text.
func (sendCmd) Help() string {
	return `The id of the message is printed once it is committed. From then on it is the server's to deliver.

Write a mail and watch it leave:

    postrider send --from shop@example.com --to ann@example.net \
      --subject "Your order" --text "It is on its way." --wait

HTML from a file with an inline picture, the text from another program, and an attachment:

    make-letter | postrider send --from shop@example.com --to ann@example.net \
      --subject Invoice --text - --html @invoice.html \
      --inline logo=logo.png --attach invoice.pdf

Later, as bulk mail, and never twice:

    postrider send --from news@example.com --to ann@example.net \
      --subject News --text @news.txt --lane low \
      --schedule 12h --idempotency-key news-31-ann

The fields of the HTTP API from a file:

    postrider send --file message.json --wait`
}

// Run posts the message, and follows it when asked to.
func (c *sendCmd) Run(ctx context.Context, t *terminal) error {
	body, err := c.body(t)
	if err != nil {
		return err
	}
	api, err := connect(client.Config{Patience: c.Patience, Repeating: func(err error) {
		fmt.Fprintln(t.err, "Trying again:", printable(err.Error()))
	}})
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.tryOut(ctx, t, api, body)
	}
	if c.IdempotencyKey == "" {
		c.IdempotencyKey = "cli-" + uuid.NewString()
	}
	accepted, err := api.Send(ctx, body, c.IdempotencyKey)
	if err != nil {
		return c.undecided(err)
	}
	if !c.JSON {
		fmt.Fprintln(t.out, printable(accepted.ID))
	}
	if accepted.Replayed {
		fmt.Fprintln(t.err, "This key was used before: the message above is the first one, and no second was made.")
	}
	return c.after(ctx, t, api, accepted)
}

// undecided names the key where it is not known whether the post was taken.
func (c *sendCmd) undecided(err error) error {
	if exitCode(err) == exitUnreachable || exitCode(err) == exitInterrupted {
		return fmt.Errorf("%w\nwhether it was taken is not known: repeat the command with --idempotency-key %s", advise(err), c.IdempotencyKey)
	}
	return advise(err)
}

func (c *sendCmd) after(ctx context.Context, t *terminal, api *client.Client, accepted client.Accepted) error {
	switch {
	case c.Wait:
		return (&follower{api: api, id: accepted.ID, timeout: c.Timeout, json: c.JSON}).follow(ctx, t)
	case c.JSON:
		return printJSON(t.out, accepted.Receipt)
	}
	return nil
}

// body is the JSON to post.
func (c *sendCmd) body(t *terminal) ([]byte, error) {
	if c.File != "" {
		if c.composed() {
			return nil, usage("--file holds the whole message: leave out the flags that compose one")
		}
		return readInput(t, c.File, maxFile)
	}
	draft, err := c.draft(t)
	if err != nil {
		return nil, err
	}
	body, err := exchange.Body(draft)
	if err != nil {
		return nil, fmt.Errorf("write the message: %w", err)
	}
	return body, nil
}
