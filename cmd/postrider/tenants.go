package main

import (
	"context"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/client"
)

// tenantsCmd groups what is done with tenants.
type tenantsCmd struct {
	Create tenantsCreateCmd `cmd:"" help:"Make a tenant."`
	List   tenantsListCmd   `cmd:"" help:"List tenants, oldest first."`
}

// Help is the long help text.
func (tenantsCmd) Help() string {
	return `A tenant owns emails and keys, and sees nothing of any other. Only an admin key of the tenant default makes and lists tenants.

    postrider tenants create shop
    postrider keys create --tenant shop --name first --scope admin`
}

// tenantsCreateCmd makes a tenant.
type tenantsCreateCmd struct {
	Name string `arg:"" help:"1 to 64 lower-case letters, digits, dashes or underscores."`
}

// Run makes the tenant and says what comes next.
func (c *tenantsCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	made, err := api.CreateTenant(ctx, c.Name)
	if err != nil {
		return advise(err)
	}
	fmt.Fprintln(t.out, cell(made.Name))
	_, err = fmt.Fprintf(t.err, "Now make it a key: postrider keys create --tenant %s --name first --scope admin\n", cell(made.Name))
	return err
}

// tenantsListCmd lists tenants.
type tenantsListCmd struct {
	Limit int   `default:"20" help:"How many, 1 to 100."`
	After int64 `placeholder:"ID" help:"Only tenants behind this one: the next page."`
	JSON  bool  `help:"Print the answer of the server."`
}

// Run asks for a page and prints it.
func (c *tenantsListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	list, err := api.Tenants(ctx, c.After, c.Limit)
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, list)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tCREATED")
	for _, one := range list.Data {
		fmt.Fprintf(table, "%d\t%s\t%s\n", one.ID, cell(one.Name), moment(one.CreatedAt))
	}
	if list.HasMore {
		fmt.Fprintln(t.err, "There are more: add --after "+strconv.FormatInt(list.Data[len(list.Data)-1].ID, 10))
	}
	return table.Flush()
}
