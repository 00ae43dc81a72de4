package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/wire"
)

// listCmd lists messages.
type listCmd struct {
	Status string `placeholder:"STATUS" help:"Only messages with a recipient in this state."`
	Limit  int    `default:"20" help:"How many, 1 to 100."`
	After  string `placeholder:"ID" help:"Only messages older than this one: the next page."`
	Before string `placeholder:"ID" help:"Only messages newer than this one: the page before."`
	JSON   bool   `help:"Print the answer of the server."`
}

// Help is the long help text.
func (listCmd) Help() string {
	return `What needs attention:

    postrider list --status failed
    postrider list --status unknown`
}

// Run asks for a page and prints it.
func (c *listCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	list, err := api.Emails(ctx, client.Query{Status: c.Status, Limit: c.Limit, After: c.After, Before: c.Before})
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, list)
	}
	return printList(t, &list)
}

func printList(t *terminal, list *wire.List) error {
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
