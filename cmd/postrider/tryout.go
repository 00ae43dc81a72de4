package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/wire"
)

// tryOut prints what the message would come to. Warnings go where they do not
// get into a file with the mail.
func (c *sendCmd) tryOut(ctx context.Context, t *terminal, api *client.Client, body []byte) error {
	if c.Wait {
		return usage("--dry-run sends nothing: leave out --wait")
	}
	run, err := api.Try(ctx, body)
	if err != nil {
		return advise(err)
	}
	for _, w := range run.Warnings {
		fmt.Fprintln(t.err, "warning:", printable(w.Detail))
	}
	if c.JSON {
		return printJSON(t.out, run)
	}
	return printDryRun(t, &run)
}

func printDryRun(t *terminal, run *wire.DryRun) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "status\t%s\nlane\t%s\nsize\t%d bytes\n\nRECIPIENT\tROLE\n", cell(string(run.Status)), cell(string(run.Lane)), run.Size)
	for _, r := range run.Recipients {
		simulated := ""
		if r.Simulated {
			simulated = ", simulated"
		}
		fmt.Fprintf(table, "%s\t%s%s\n", cell(r.Address), r.Role, simulated)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "\n"+printable(strings.ReplaceAll(run.Content, "\r\n", "\n")))
	if !run.ContentComplete {
		fmt.Fprintln(t.err, "The rest of the mail is not shown.")
	}
	return nil
}
