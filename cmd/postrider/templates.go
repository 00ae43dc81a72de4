package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/wire"
)

// templatesCmd works with templates.
type templatesCmd struct {
	List    templatesListCmd    `cmd:"" help:"List templates, newest first."`
	Show    templatesShowCmd    `cmd:"" help:"Show the current version of a template."`
	Push    templatesPushCmd    `cmd:"" help:"Make a template from a file, or change the draft of the one with its alias."`
	Publish templatesPublishCmd `cmd:"" help:"Make drafts what is sent."`
	Render  templatesRenderCmd  `cmd:"" help:"See what a template becomes; nothing is sent."`
}

// templatesListCmd lists templates.
type templatesListCmd struct {
	Limit int    `default:"20" help:"How many, 1 to 100."`
	After string `placeholder:"ID" help:"Only templates older than this one: the next page."`
	JSON  bool   `help:"Print the answer of the server."`
}

// Run asks for a page and prints it.
func (c *templatesListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	list, err := api.Templates(ctx, c.Limit, c.After)
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, list)
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if len(list.Data) > 0 {
		fmt.Fprintln(table, "ID\tALIAS\tKIND\tSTATUS\tCHANGED\tNAME")
	}
	for _, m := range list.Data {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", cell(m.ID), cell(orDash(given(m.Alias))), m.Kind, m.Status, moment(m.UpdatedAt), cell(shorten(m.Name)))
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

// given is what an optional text says.
func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// templatesShowCmd shows one template.
type templatesShowCmd struct {
	Name string `arg:"" help:"Its id or alias."`
	JSON bool   `help:"Print the answer of the server; of its fields a file for push can be made."`
}

// Run asks for the template and prints it.
func (c *templatesShowCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	m, err := api.Template(ctx, c.Name)
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, m)
	}
	return printTemplate(t.out, &m)
}

func printTemplate(w io.Writer, m *wire.Template) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, cell(value))
		}
	}
	line("id", m.ID)
	line("alias", given(m.Alias))
	line("name", m.Name)
	line("kind", string(m.Kind))
	line("status", templateState(m))
	line("layout", given(m.Layout))
	line("from", given(m.From))
	line("subject", given(m.Subject))
	for _, v := range m.Variables {
		line("variable", v.Key+" ("+string(v.Type)+")")
	}
	for _, locale := range slices.Sorted(maps.Keys(m.Locales)) {
		line("locale", locale)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printTexts(w, given(m.HTML), given(m.Text))
}

func templateState(m *wire.Template) string {
	switch {
	case m.PublishedVersion == nil:
		return fmt.Sprintf("draft, version %d", m.Version)
	case m.HasUnpublished:
		return fmt.Sprintf("version %d is published; this is the draft of version %d", *m.PublishedVersion, m.Version)
	}
	return fmt.Sprintf("published, version %d", m.Version)
}

func printTexts(w io.Writer, html, text string) error {
	for _, part := range []struct{ name, text string }{{"HTML", html}, {"TEXT", text}} {
		if part.text == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%s\n%s\n", part.name, printable(part.text)); err != nil {
			return err
		}
	}
	return nil
}

// templatesPushCmd makes or changes a template.
type templatesPushCmd struct {
	File    string `arg:"" help:"The fields of the HTTP API as JSON, with an alias (- for standard input)."`
	HTML    string `placeholder:"FILE" help:"Take the HTML from this file."`
	Text    string `placeholder:"FILE" help:"Take the text from this file."`
	Publish bool   `help:"Publish it at once."`
}

// Help is the long help text.
func (templatesPushCmd) Help() string {
	return `Keep templates in files beside your code:

    postrider templates push order.json --html order.html --publish

where order.json has the rest:

    {"alias": "order", "name": "Order", "subject": "Order {{NUMBER}}"}

What the file does not name stays as it is.`
}

// maxTemplateFile is more than the server takes.
const maxTemplateFile = 8 << 20

// Run pushes the template, and publishes it when asked to.
func (c *templatesPushCmd) Run(ctx context.Context, t *terminal) error {
	alias, body, err := c.body(t)
	if err != nil {
		return err
	}
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	id, made, err := api.PushTemplate(ctx, alias, body)
	if err != nil {
		return advise(err)
	}
	done := "changed"
	if made {
		done = "made"
	}
	if c.Publish {
		if err := api.PublishTemplate(ctx, id); err != nil {
			return fmt.Errorf("the draft was %s, and not published: %w", done, advise(err))
		}
		done += " and published"
	}
	_, err = fmt.Fprintf(t.out, "%s %s\n", cell(id), done)
	return err
}

// body is what to push: the file, with the texts of other files in it. What is
// not taken apart here stays as it is written.
func (c *templatesPushCmd) body(t *terminal) (alias string, body []byte, err error) {
	text, err := readInput(t, c.File, maxTemplateFile)
	if err != nil {
		return "", nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", nil, usage("%s is not a JSON object: %v", c.File, err)
	}
	if err := json.Unmarshal(fields["alias"], &alias); err != nil || alias == "" {
		return "", nil, usage("%s names no alias, by which a template is found again", c.File)
	}
	for name, path := range map[string]string{"html": c.HTML, "text": c.Text} {
		if path == "" {
			continue
		}
		content, err := readText(t, path, maxTemplateFile)
		if err != nil {
			return "", nil, err
		}
		if fields[name], err = json.Marshal(content); err != nil {
			return "", nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	body, err = json.Marshal(fields)
	return alias, body, err
}

// templatesPublishCmd publishes drafts.
type templatesPublishCmd struct {
	Names []string `arg:"" help:"Ids or aliases."`
}

// Help is the long help text.
func (templatesPublishCmd) Help() string {
	return `A template takes its layout and partials in when it is published. After a new footer, publish what has it:

    postrider templates publish footer order invoice`
}

// Run publishes one after the other, up to the first that is refused.
func (c *templatesPublishCmd) Run(ctx context.Context, t *terminal) error {
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	for _, name := range c.Names {
		if err := api.PublishTemplate(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, advise(err))
		}
		fmt.Fprintln(t.out, cell(name)+" published")
	}
	return nil
}

// templatesRenderCmd renders a template.
type templatesRenderCmd struct {
	Name      string            `arg:"" help:"Its id or alias."`
	Var       map[string]string `short:"v" mapsep:"none" placeholder:"NAME=VALUE" help:"A value that is a string; may be repeated."`
	Variables string            `placeholder:"FILE" help:"Values of any type as JSON (- for standard input)."`
	Locale    string            `placeholder:"LOCALE" help:"The language, such as de-AT."`
	Published bool              `help:"The published version instead of the draft."`
	Only      string            `blank:"" enum:",html,text,subject" default:"" placeholder:"PART" help:"Print html, text or subject alone, as it is."`
	JSON      bool              `help:"Print the answer of the server."`
}

// Help is the long help text.
func (templatesRenderCmd) Help() string {
	return `Look at it in a browser:

    postrider templates render order -v NAME=Ann --only html > order.html`
}

// Run renders the template and prints it.
func (c *templatesRenderCmd) Run(ctx context.Context, t *terminal) error {
	body, err := c.trial(t)
	if err != nil {
		return err
	}
	api, err := connect(client.Config{})
	if err != nil {
		return err
	}
	r, err := api.RenderTemplate(ctx, c.Name, body)
	switch {
	case err != nil:
		return advise(err)
	case c.JSON:
		return printJSON(t.out, r)
	case c.Only != "":
		_, err := io.WriteString(t.out, map[string]string{"html": given(r.HTML), "text": given(r.Text), "subject": r.Subject}[c.Only])
		return err
	}
	fmt.Fprintln(t.out, "SUBJECT\n"+cell(r.Subject))
	return printTexts(t.out, given(r.HTML), given(r.Text))
}

func (c *templatesRenderCmd) trial(t *terminal) ([]byte, error) {
	values := map[string]json.RawMessage{}
	if c.Variables != "" {
		text, err := readInput(t, c.Variables, maxTemplateFile)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, usage("%s is not a JSON object: %v", c.Variables, err)
		}
	}
	for name, value := range c.Var {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		values[name] = text
	}
	version := "current"
	if c.Published {
		version = "published"
	}
	trial := map[string]any{"variables": values, "version": version}
	if c.Locale != "" {
		trial["locale"] = c.Locale
	}
	return json.Marshal(trial)
}
