package handlebars_test

import (
	"errors"
	"html"
	"os"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/handlebars"
)

// injections are what other template languages evaluate, one a line, with some that are
// near to this one.
func injections(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/injections.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) < 100 {
		t.Fatalf("only %d lines", len(lines))
	}
	return append(lines, "<.Show 0>", "\x01<.Show 0>\x01")
}

// Row 53 of the bad input.
func TestAValueIsNeverATemplate(t *testing.T) {
	compiled, err := handlebars.Compile(handlebars.Source{
		Subject: "{{name}}", Body: handlebars.Part{HTML: `<p title="{{name}}">{{name}}</p>`, Text: "{{#if name}}{{{name}}}{{/if}}"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, probe := range injections(t) {
		out, err := compiled.Render(t.Context(), map[string]any{"name": probe, "a": "evaluated"})
		if err != nil || out.Text != probe || out.Subject != probe {
			t.Errorf("%q became %+v %v", probe, out, err)
		}
		if want := `<p title="` + probe + `">` + probe + `</p>`; html.UnescapeString(out.HTML) != want || strings.Count(out.HTML, "<") != 2 {
			t.Errorf("%q became %q", probe, out.HTML)
		}
	}
}

// Row 54: as a template it is refused with its place, or is text like any other. What
// only names a value is right, and has none.
func TestAnInjectionIsNoTemplate(t *testing.T) {
	for _, probe := range injections(t) {
		for part, s := range map[string]handlebars.Source{
			"subject": {Subject: probe}, "html": {Body: handlebars.Part{HTML: "<p>" + probe}}, "text": {Body: handlebars.Part{Text: probe}},
		} {
			compiled, err := handlebars.Compile(s)
			var refused *handlebars.Error
			if errors.As(err, &refused) {
				if refused.Line != 1 || refused.Column < 1 || refused.Part != part {
					t.Errorf("%q as %s: %v", probe, part, err)
				}
				continue
			} else if err != nil {
				t.Errorf("%q as %s: %v", probe, part, err)
				continue
			}
			out, err := compiled.Render(t.Context(), nil)
			var value *handlebars.ValueError
			if errors.As(err, &value) && value.Missing && placeOf(err) != "" {
				continue
			}
			if text := html.UnescapeString(strings.TrimPrefix(out.HTML, "<p>")) + out.Text + out.Subject; err != nil || text != probe && strings.Contains(probe, "{{") {
				t.Errorf("%q as %s became %q %v", probe, part, text, err)
			} else if strings.Contains(text, "49") && !strings.Contains(probe, "49") {
				t.Errorf("%q as %s was evaluated: %q", probe, part, text)
			}
		}
	}
}
