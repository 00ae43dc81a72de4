package handlebars

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strconv"
	"strings"
	texttemplate "text/template"
	goparse "text/template/parse"
	"time"
)

// Template is a compiled mail. Safe for concurrent use.
type Template struct {
	subject, html, text *compiled // nil: it has none
}

// compiled is one form.
type compiled struct {
	*program
	part    string
	execute func(io.Writer, any) error
}

// Output is a rendered mail. Only HTML is escaped.
type Output struct {
	Subject string
	HTML    string
	Text    string
}

// Compile checks a mail and makes it ready to be rendered. The error is an
// *Error; what compiles renders, unless the values do not fit or it costs too
// much.
func Compile(s Source) (*Template, error) {
	subject, err := s.subject()
	if err != nil {
		return nil, err
	}
	html, err := s.compile("html", func(p Part) string { return p.HTML })
	if err != nil {
		return nil, err
	}
	text, err := s.compile("text", func(p Part) string { return p.Text })
	if err != nil {
		return nil, err
	}
	return &Template{subject: subject, html: html, text: text}, nil
}

// subject is compiled like a text without anything around it.
func (s *Source) subject() (*compiled, error) {
	if at := strings.IndexAny(s.Subject, "\r\n"); at >= 0 {
		return nil, located("subject", "", s.Subject, faultf(at, "must be one line"))
	}
	alone := Source{Body: Part{Text: s.Subject}}
	t, err := alone.form("subject", func(p Part) string { return p.Text })
	if t == nil || err != nil {
		return nil, err
	}
	return t.compileText()
}

func (s *Source) compile(part string, of func(Part) string) (*compiled, error) {
	t, err := s.form(part, of)
	switch {
	case t == nil || err != nil:
		return nil, err
	case part == "html":
		return t.compileHTML()
	}
	return t.compileText()
}

func (t *tree) compileText() (*compiled, error) {
	c := &compiled{program: t.program(), part: t.part}
	set := texttemplate.New(setName).Delims(goOpen, goClose)
	for name, form := range t.write(c.program) {
		if _, err := set.New(name).Parse(form.text); err != nil {
			return nil, fmt.Errorf("go form of %s: %w", name, err)
		}
	}
	c.execute = func(w io.Writer, data any) error { return set.ExecuteTemplate(w, t.entry, data) }
	return c, nil
}

// compileHTML also has html/template find out, once and for all, where in the
// HTML each value stands. It refuses what has no certain answer.
func (t *tree) compileHTML() (*compiled, error) {
	if err := t.refuse(); err != nil {
		return nil, err
	}
	c := &compiled{program: t.program(), part: t.part}
	set, forms, err := t.escape(c)
	var ambiguous *htmltemplate.Error
	switch {
	case errors.As(err, &ambiguous):
		return nil, t.explain(ambiguous, forms)
	case err != nil:
		return nil, err
	}
	c.execute = func(w io.Writer, data any) error { return set.ExecuteTemplate(w, t.entry, data) }
	return c, nil
}

// escape has html/template look at the whole form; its refusal is a
// *htmltemplate.Error.
func (t *tree) escape(c *compiled) (*htmltemplate.Template, map[string]*goForm, error) {
	set := htmltemplate.New(setName).Delims(goOpen, goClose)
	forms := t.write(c.program)
	for name, form := range forms {
		if _, err := set.New(name).Parse(form.text); err != nil {
			return nil, nil, fmt.Errorf("go form of %s: %w", name, err)
		}
	}
	probe := &scope{program: c.program, run: &run{probe: true}}
	err := set.ExecuteTemplate(&page{run: probe.run}, t.entry, probe)
	if err != nil && !errors.Is(err, errProbe) {
		return nil, forms, fmt.Errorf("go form of %s: %w", t.entry, err)
	}
	return set, forms, nil
}

// explain says in our words, and of our text, why html/template refuses it.
func (t *tree) explain(e *htmltemplate.Error, forms map[string]*goForm) error {
	var at int
	var detail string
	name := t.entry
	switch {
	case e.ErrorCode == htmltemplate.ErrEndContext:
		at = len(t.texts[name])
	case e.Node != nil:
		name = home(e.Node)
		at = forms[name].source(int(e.Node.Position()))
	default:
		name, at = t.trace(e)
	}
	switch e.ErrorCode {
	case htmltemplate.ErrBranchEnd:
		detail = "the ways through this block end in different places of the HTML, such as one of them inside a tag or an attribute; end in it what begins in it, and put values in quotes"
	case htmltemplate.ErrRangeLoopReentry:
		detail = "this loop ends in another place of the HTML than it begins in"
	case htmltemplate.ErrEndContext:
		detail = "the HTML ends inside of a tag, an attribute, a style or a script"
	case htmltemplate.ErrAmbigContext:
		detail = "it is not certain what part of a URL this value would be; write the URL so that one beginning of it stands before the value"
	default:
		detail = inShort(e.Description)
	}
	return t.located(name, faultf(at, "%s", detail))
}

// inShort is what html/template says, with no more of the text than tells it apart, and
// what to write instead where there is one way.
func inShort(description string) string {
	says, piece := quotation(strings.Replace(description, "on range loop re-entry: ", "in the second round of a loop: ", 1))
	if piece == "" {
		return clip(says)
	}
	says += strconv.Quote(clip(piece))
	if strings.Contains(says, " in unquoted attr: ") {
		says += "; put the value in quotes"
	}
	return says
}

// home is the text that a node was parsed from.
func home(n goparse.Node) string {
	name, _ := (*goparse.Tree)(nil).ErrorContext(n) // name:line:byte
	for range 2 {
		name = name[:strings.LastIndexByte(name, ':')]
	}
	return name
}

// Render fills the template with values: strings, json.Number, bool, lists as
// []any and objects as map[string]any. The error is a *ValueError, a
// *LimitError, or ctx's.
func (t *Template) Render(ctx context.Context, values map[string]any) (Output, error) {
	r := &run{ctx: ctx, until: time.Now().Add(MaxTime), work: MaxWork, room: MaxOutput}
	var out Output
	for _, form := range []struct {
		of   *compiled
		into *string
	}{{t.subject, &out.Subject}, {t.html, &out.HTML}, {t.text, &out.Text}} {
		if form.of == nil {
			continue
		}
		text, err := form.of.render(r, values)
		if err != nil {
			return Output{}, err
		}
		*form.into = text
	}
	return out, nil
}

func (c *compiled) render(r *run, values map[string]any) (string, error) {
	p := &page{run: r}
	err := c.execute(p, &scope{run: r, program: c.program, value: values})
	var value *ValueError
	var limit *LimitError
	switch {
	case err == nil:
		return p.text.String(), nil
	case errors.As(err, &value):
		return "", value
	case errors.As(err, &limit):
		return "", limit
	case r.ctx.Err() != nil:
		return "", r.ctx.Err()
	}
	return "", fmt.Errorf("render %s: %w", c.part, err)
}

// page takes the output, up to what a mail may have.
type page struct {
	*run
	text bytes.Buffer
}

// Write implements io.Writer.
func (p *page) Write(b []byte) (int, error) {
	if p.probe {
		return 0, errProbe
	}
	if len(b) > p.room {
		return 0, p.limit(fmt.Sprintf("would be longer than %d bytes", MaxOutput))
	}
	p.room -= len(b)
	if err := p.timely(); err != nil {
		return 0, err
	}
	return p.text.Write(b)
}
