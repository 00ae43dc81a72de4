package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/wire"
)

// listCmd lists messages.
type listCmd struct {
	Status        string   `placeholder:"STATUS" help:"Only messages with a recipient in this state."`
	Recipient     string   `placeholder:"ADDRESS" help:"Only messages to this address, in to, cc or bcc."`
	Subject       string   `placeholder:"TEXT" help:"Only messages with this somewhere in their subject."`
	Tag           string   `placeholder:"NAME[:VALUE]" help:"Only messages with this tag."`
	Metadata      []string `sep:"none" placeholder:"KEY=VALUE" help:"Only messages with this in their metadata. Repeat it for more."`
	Template      string   `placeholder:"TEMPLATE" help:"Only messages made from this template, by its id or alias."`
	Lane          string   `placeholder:"LANE" help:"Only messages of this lane."`
	CreatedAfter  string   `placeholder:"TIME" help:"Only messages accepted then or later: 2030-01-31T08:00:00+01:00, or how long ago, such as 24h or 7d."`
	CreatedBefore string   `placeholder:"TIME" help:"Only messages accepted before, given like --created-after."`
	Limit         int      `default:"20" help:"How many, 1 to 100."`
	After         string   `placeholder:"ID" help:"Only messages older than this one: the next page."`
	Before        string   `placeholder:"ID" help:"Only messages newer than this one: the page before."`
	JSON          bool     `help:"Print the answer of the server."`
	CSV           bool     `help:"Print all of them, whatever --limit, as CSV with a line for each recipient."`
}

// Help is the long help text.
func (listCmd) Help() string {
	return `What needs attention:

    postrider list --status failed
    postrider list --status unknown

What became of a mail:

    postrider list --recipient ann@example.net --created-after 3d

A table of a campaign for a spreadsheet:

    postrider list --tag campaign:spring --csv > spring.csv`
}

// Run asks for a page and prints it.
func (c *listCmd) Run(ctx context.Context, t *terminal) error {
	query, err := c.query()
	if err != nil {
		return err
	}
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	if c.CSV {
		return advise(api.Export(ctx, query, t.out))
	}
	list, err := page(ctx, api, query)
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, list)
	}
	return printList(t, &list, c.Before != "")
}

func (c *listCmd) query() (client.Query, error) {
	q := client.Query{
		Status: c.Status, Lane: c.Lane, Recipient: c.Recipient, Subject: c.Subject, Tag: c.Tag, Template: c.Template, Metadata: map[string]string{},
		CreatedAfter: ago(c.CreatedAfter), CreatedBefore: ago(c.CreatedBefore), After: c.After, Before: c.Before, Limit: c.Limit,
	}
	for _, pair := range c.Metadata {
		key, value, ok := strings.Cut(pair, "=")
		if _, twice := q.Metadata[key]; !ok || twice {
			return q, usage("--metadata %q: write it as key=value, each key once", pair)
		}
		q.Metadata[key] = value
	}
	if !c.CSV {
		return q, nil
	}
	if c.JSON || c.After != "" || c.Before != "" {
		return q, usage("--csv is all of them, and a form of its own: leave out --json, --after and --before")
	}
	q.Limit = 0
	return q, nil
}

// ago turns a span into a time; anything else is for the server to read.
func ago(text string) string {
	d, err := span(text)
	if err != nil {
		return text
	}
	return time.Now().Add(-d).Format(time.RFC3339)
}

// page asks until the page is full: one answer looks at a bounded number of
// messages, and may have found fewer, or none, with more to be searched.
func page(ctx context.Context, api *client.Client, q client.Query) (wire.List, error) {
	list, err := api.Emails(ctx, q)
	most := q.Limit
	for err == nil && list.Next != nil && len(list.Data) < most {
		q.Limit = most - len(list.Data)
		if q.Before != "" {
			q.Before = *list.Next
		} else {
			q.After = *list.Next
		}
		var more wire.List
		more, err = api.Emails(ctx, q)
		if q.Before != "" {
			more.Data = append(more.Data, list.Data...)
		} else {
			more.Data = append(list.Data, more.Data...)
		}
		list = more
	}
	return list, err
}

func printList(t *terminal, list *wire.List, upwards bool) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if len(list.Data) > 0 {
		fmt.Fprintln(table, "ID\tACCEPTED\tSTATUS\tTO\tSUBJECT")
	}
	for i := range list.Data {
		m := &list.Data[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", cell(m.ID), moment(m.CreatedAt), m.Status, receivers(m), cell(shorten(m.Subject)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	switch {
	case len(list.Data) == 0:
		fmt.Fprintln(t.err, "There are none.")
	case list.HasMore && upwards:
		fmt.Fprintln(t.err, "There are more: add --before "+cell(list.Data[0].ID))
	case list.HasMore:
		fmt.Fprintln(t.err, "There are more: add --after "+cell(list.Data[len(list.Data)-1].ID))
	}
	return nil
}

// receivers names the first recipient and counts the others.
func receivers(m *wire.Item) string {
	var all []string
	all = append(append(append(all, m.To...), m.Cc...), m.Bcc...)
	switch len(all) {
	case 0:
		return "-"
	case 1:
		return cell(all[0])
	}
	return fmt.Sprintf("%s +%d", cell(all[0]), len(all)-1)
}

func shorten(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return strings.TrimSpace(string(runes[:most-1])) + "…"
	}
	return s
}
