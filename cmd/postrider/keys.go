package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/wire"
)

// keysCmd groups what is done with API keys.
type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make a key and print it: the only time it is shown."`
	List   keysListCmd   `cmd:"" help:"List the keys that were not revoked, newest first."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key for good."`
}

// Help is the long help text.
func (keysCmd) Help() string {
	return `Keys are made, listed and revoked over the API, with an admin key: on a new server one of its POSTRIDER_API_KEYS, in postrider dev the one that is there.

    postrider keys create --name shop --scope sending
    postrider keys list
    postrider keys revoke ID

An admin key of the tenant default may say --tenant NAME, to look after the keys of another tenant.`
}

// keysCreateCmd makes a key.
type keysCreateCmd struct {
	Name       string   `required:"" placeholder:"NAME" help:"What it is for, to know it again in the list."`
	Scope      string   `default:"full" enum:"sending,read,full,admin" help:"What it may do: sending posts emails; read looks; full does both, and moves, cancels and retries; admin also makes and revokes keys."`
	Domain     []string `sep:"none" placeholder:"DOMAIN" help:"The only domain its senders may be of: example.com for that one, *.example.com for all below it. May be given several times."`
	Rate       *int     `placeholder:"N" help:"Requests a second, over all producers together. Default: any number."`
	DailyQuota *int     `placeholder:"N" help:"Recipients a day, from midnight UTC on, over all producers together. Default: any number."`
	Expires    string   `placeholder:"TIME" help:"When it ends: 2030-01-31T08:00:00+01:00, or from now, such as 12h or 90d."`
	Tenant     string   `placeholder:"NAME" help:"Whose key it is. Default: the tenant of the key you show."`
	JSON       bool     `help:"Print the answer of the server."`
}

// Help is the long help text.
func (keysCreateCmd) Help() string {
	return `The key alone goes to standard output, everything about it to standard error, so that a script can take it:

    KEY=$(postrider keys create --name shop --scope sending --domain shop.example)

Least is best: a key for a shop that only sends, from one domain, and not more than it needs to:

    postrider keys create --name shop --scope sending \
      --domain shop.example --rate 20 --daily-quota 5000 --expires 365d

Only its SHA-256 is kept: a key that is lost is revoked and replaced.`
}

// Run makes the key and prints it.
func (c *keysCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	created, err := api.CreateKey(ctx, client.KeyDraft{
		Name: c.Name, Scope: c.Scope, Domains: c.Domain, Rate: c.Rate, DailyQuota: c.DailyQuota, ExpiresAt: fromNow(c.Expires), Tenant: c.Tenant,
	})
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, created)
	}
	fmt.Fprintln(t.out, cell(created.Token))
	_, err = fmt.Fprintf(t.err, "This key is not shown again. Its id is %s; postrider keys revoke %[1]s ends it.\n", cell(created.ID))
	return err
}

// keysListCmd lists keys.
type keysListCmd struct {
	Tenant string `placeholder:"NAME" help:"Whose keys. Default: the tenant of the key you show."`
	Limit  int    `default:"20" help:"How many, 1 to 100."`
	After  string `placeholder:"ID" help:"Only keys older than this one: the next page."`
	JSON   bool   `help:"Print the answer of the server."`
}

// Run asks for a page and prints it.
func (c *keysListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	list, err := api.Keys(ctx, client.KeyQuery{Tenant: c.Tenant, Limit: c.Limit, After: c.After})
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, list)
	}
	return printKeys(t, &list)
}

func printKeys(t *terminal, list *wire.KeyList) error {
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if len(list.Data) > 0 {
		fmt.Fprintln(table, "ID\tKEY\tNAME\tSCOPE\tSENDERS\tRATE\tA DAY\tLAST USED\tEXPIRES")
	}
	for i := range list.Data {
		k := &list.Data[i]
		fmt.Fprintf(table, "%s\t%s…\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cell(k.ID), cell(k.Prefix), cell(shorten(k.Name)), k.Scope,
			orDash(cell(strings.Join(k.Domains, " "))), limited(k.Rate), limited(k.DailyQuota), moment(k.LastUsedAt), moment(k.ExpiresAt))
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

func limited(n *int) string {
	if n == nil {
		return "-"
	}
	return strconv.Itoa(*n)
}

// keysRevokeCmd ends a key.
type keysRevokeCmd struct {
	ID     string `arg:"" help:"The id of the key, as postrider keys list shows it."`
	Tenant string `placeholder:"NAME" help:"Whose key it is. Default: the tenant of the key you show."`
}

// Help is the long help text.
func (keysRevokeCmd) Help() string {
	return `No process lets the key in any more within 5 seconds. It cannot be brought back. What was accepted with it is sent all the same.`
}

// Run revokes the key.
func (c *keysRevokeCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	if err := api.RevokeKey(ctx, c.ID, c.Tenant); err != nil {
		return advise(err)
	}
	_, err = fmt.Fprintln(t.out, "Revoked. It is refused everywhere within 5 seconds.")
	return err
}
