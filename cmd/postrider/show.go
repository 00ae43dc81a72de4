package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// showCmd shows one message.
type showCmd struct {
	ID      string `arg:"" help:"The id that the post was answered with."`
	Content bool   `xor:"what" help:"Print the mail itself, byte for byte as it is sent."`
	Events  bool   `xor:"what" help:"Print what happened to it, oldest first."`
	JSON    bool   `help:"Print the answer of the server."`
}

// Help is the long help text.
func (showCmd) Help() string {
	return `Times are in the local zone. States of a recipient:

    queued             waits for a worker        scheduled   waits for its time
    sending            is being handed over      sent        the relay host took it
    delivery_delayed   refused for now, will be tried again
    failed             ended; the reason stands beside it
    unknown            nobody can know whether it was taken; decide with postrider retry
    canceled           stopped by you

"possibly sent" stands beside a recipient who may have the mail although no answer said so.

The shell can use --json:

    postrider show ID --json | jq -r .status

The mail, for a mail program:

    postrider show ID --content > mail.eml`
}

// Run asks for the message and prints it.
func (c *showCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	switch {
	case c.Content && c.JSON:
		return usage("--content is the mail itself: leave out --json")
	case c.Content:
		return advise(api.Content(ctx, c.ID, t.out))
	case c.Events:
		return c.events(ctx, t, api)
	}
	email, err := api.Email(ctx, c.ID)
	if err != nil {
		return advise(err)
	}
	if c.JSON {
		return printJSON(t.out, email)
	}
	return printEmail(t.out, &email)
}

func (c *showCmd) events(ctx context.Context, t *terminal, api *client.Client) error {
	events, err := api.Events(ctx, c.ID)
	if err != nil {
		return advise(err)
	}
	if c.JSON {
		return printJSON(t.out, events)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TIME\tEVENT\tRECIPIENT\tREPLY")
	for _, e := range events.Data {
		kind := e.Type
		if e.Reason != message.ReasonNone {
			kind += ": " + string(e.Reason)
		}
		said := reply(&wire.Attempt{RelayHost: e.RelayHost, Code: e.Code, EnhancedCode: e.EnhancedCode, Detail: e.Detail})
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", moment(e.CreatedAt), cell(kind), orDash(cell(e.Recipient)), orDash(said))
	}
	return table.Flush()
}

func printEmail(w io.Writer, e *wire.Email) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printHead(table, e)
	fmt.Fprintln(table, "\nRECIPIENT\tROLE\tSTATUS\tTRIES\tNEXT TRY\tENDED")
	for i := range e.Recipients {
		r := &e.Recipients[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", cell(r.Address), r.Role, state(r), tries(e, r.Address), moment(r.NextAttemptAt), moment(r.FinishedAt))
	}
	if len(e.Attempts) > 0 {
		fmt.Fprintln(table, "\nATTEMPT\tRECIPIENT\tOUTCOME\tTOOK\tREPLY")
	}
	for i := range e.Attempts {
		a := &e.Attempts[i]
		took := time.Duration(a.DurationMS) * time.Millisecond
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", moment(a.StartedAt), cell(a.Recipient), a.Outcome, took, orDash(reply(a)))
	}
	return table.Flush()
}

// tries counts the history: the server's own number is of those tries only
// that the retry schedule charges, and is 0 where the first one succeeded.
func tries(e *wire.Email, address string) int {
	n := 0
	for i := range e.Attempts {
		if e.Attempts[i].Recipient == address {
			n++
		}
	}
	return n
}

func printHead(w io.Writer, e *wire.Email) {
	line := func(name, value string) {
		if value != "" && value != "-" {
			fmt.Fprintf(w, "%s\t%s\n", name, cell(value))
		}
	}
	line("id", e.ID)
	line("status", string(e.Status)+counts(e.Counts, len(e.Recipients)))
	if e.PossiblySent {
		line("", "possibly sent: the outcome of a try is not known")
	}
	line("from", e.From)
	line("subject", e.Subject)
	line("lane", string(e.Lane))
	line("accepted", moment(e.CreatedAt))
	line("not before", moment(e.ScheduledAt))
	line("not after", moment(e.ExpiresAt))
	for _, a := range e.Attachments {
		line("attachment", fmt.Sprintf("%s (%s, %d bytes)", a.Filename, a.ContentType, a.Size))
	}
	for _, tag := range e.Tags {
		line("tag", tag.Name+"="+tag.Value)
	}
}

// counts tells how the recipients stand, where they do not all stand alike.
func counts(c wire.Counts, all int) string {
	if all < 2 {
		return ""
	}
	var parts []string
	for status, n := range c {
		parts = append(parts, fmt.Sprintf("%d %s", n, status))
	}
	slices.Sort(parts)
	return fmt.Sprintf(" (of %d: %s)", all, strings.Join(parts, ", "))
}

func state(r *wire.Recipient) string {
	switch {
	case r.Reason != message.ReasonNone:
		return string(r.Status) + ": " + string(r.Reason)
	case r.PossiblySent:
		return string(r.Status) + ", possibly sent"
	}
	return string(r.Status)
}
