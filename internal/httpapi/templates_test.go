package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// object writes members as JSON; a value that is a string may hold anything.
func object(t testing.TB, members map[string]any) string {
	t.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stencil makes a template and returns its id.
func (w *world) stencil(members map[string]any) string {
	w.t.Helper()
	if members["name"] == nil {
		members["name"] = "Order"
	}
	a := w.do("POST", "/v1/templates", object(w.t, members))
	a.want(w.t, 201, "")
	if a.header.Get("Location") != "/v1/templates/"+a.text("id") {
		w.t.Errorf("Location %q", a.header.Get("Location"))
	}
	return a.text("id")
}

func (w *world) published(members map[string]any) string {
	w.t.Helper()
	id := w.stencil(members)
	w.do("POST", "/v1/templates/"+id+"/publish", "").want(w.t, 200, "")
	return id
}

// with sends by template, and returns the answer.
func (w *world) with(template string, variables map[string]any, more ...string) answer {
	w.t.Helper()
	use := map[string]any{"id": template, "variables": variables}
	body := map[string]any{"from": "a@example.com", "to": "b@example.com", "template": use}
	for i := 0; i < len(more); i += 2 {
		if more[i] == "locale" {
			use["locale"] = more[i+1]
		} else {
			body[more[i]] = more[i+1]
		}
	}
	return w.do("POST", "/v1/emails", object(w.t, body))
}

// mail reads an email that was accepted.
func (w *world) mail(a answer) answer {
	w.t.Helper()
	a.want(w.t, 202, "")
	return w.do("GET", "/v1/emails/"+a.text("id"), "")
}

func TestTheLifeOfATemplate(t *testing.T) {
	w := newWorld(t)
	id := w.stencil(map[string]any{
		"name": "Order", "alias": "order", "from": "Shop <shop@example.com>", "reply_to": "help@example.com", "subject": "Order {{{NUMBER}}}",
		"html": "<p>Dear {{{NAME}}}</p>", "text": nil,
		"variables": []any{map[string]any{"key": "NAME", "type": "string", "fallback_value": "customer"}, map[string]any{"key": "NUMBER", "type": "number"}},
	})
	a := w.do("GET", "/v1/templates/order", "")
	a.want(t, 200, "")
	if a.text("id") != id || a.text("status") != "draft" || a.json["has_unpublished_versions"] != true || a.json["published_at"] != nil {
		t.Errorf("%s", a.body)
	}
	w.with("order", nil).want(t, 422, "validation_error")
	w.do("POST", "/v1/templates/"+id+"/publish", "").want(t, 200, "")
	a = w.do("GET", "/v1/templates/"+id, "")
	if a.text("status") != "published" || a.json["has_unpublished_versions"] != false || a.json["published_version"] != 1.0 {
		t.Errorf("%s", a.body)
	}
	m := w.mail(w.do("POST", "/v1/emails", `{"to":"b@example.com","template":{"id":"order","variables":{"NUMBER":7,"more":"than it needs"}}}`))
	if m.text("subject") != "Order 7" || m.text("html") != "<p>Dear customer</p>" || m.text("from") != "Shop <shop@example.com>" ||
		fmt.Sprint(m.json["reply_to"]) != "[help@example.com]" || fmt.Sprint(m.json["template"]) != "map[id:"+id+" version:1]" {
		t.Errorf("%s", m.body)
	}
	w.do("PATCH", "/v1/templates/order", `{"html":"<p>Hello {{{NAME}}}</p>","subject":null}`).want(t, 200, "")
	a = w.do("GET", "/v1/templates/order", "")
	if a.json["has_unpublished_versions"] != true || a.json["subject"] != nil || a.text("html") != "<p>Hello {{{NAME}}}</p>" || a.text("alias") != "order" {
		t.Errorf("%s", a.body)
	}
	before := w.mail(w.with("order", map[string]any{"NUMBER": 1, "NAME": "Ann"}, "subject", "mine", "from", "me@example.com"))
	w.do("POST", "/v1/templates/order/publish", "").want(t, 200, "")
	after := w.mail(w.with("order", map[string]any{"NUMBER": 1, "NAME": "Ann"}))
	if before.text("html") != "<p>Dear Ann</p>" || before.text("subject") != "mine" || before.text("from") != "me@example.com" || after.text("html") != "<p>Hello Ann</p>" {
		t.Errorf("%s\n%s", before.body, after.body)
	}
	a = w.do("POST", "/v1/templates/order/duplicate", "")
	a.want(t, 200, "")
	if c := w.do("GET", "/v1/templates/"+a.text("id"), ""); c.text("name") != "Order (copy)" || c.text("status") != "draft" || c.json["alias"] != nil || c.text("html") != after.json["html"] && c.text("html") != "<p>Hello {{{NAME}}}</p>" {
		t.Errorf("%s", c.body)
	}
	list := w.do("GET", "/v1/templates?limit=1", "")
	if data, _ := list.json["data"].([]any); len(data) != 1 || list.json["has_more"] != true || data[0].(map[string]any)["id"] != a.text("id") {
		t.Errorf("%s", list.body)
	}
	a = w.do("DELETE", "/v1/templates/order", "")
	if a.want(t, 200, ""); a.json["deleted"] != true || a.text("id") != id {
		t.Errorf("%s", a.body)
	}
	w.do("GET", "/v1/templates/"+id, "").want(t, 404, "not_found")
	if again := w.do("GET", "/v1/emails/"+after.text("id"), ""); again.text("html") != "<p>Hello Ann</p>" {
		t.Errorf("%s", again.body)
	}
}

// Row 52 of the bad input.
func TestATemplateThatCannotBeFilledIsRefusedWhenTheEmailIsAccepted(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{
		"alias": "order", "html": "<p>{{NAME}} {{N}} {{#each ITEMS}}{{title}}{{/each}} {{UNDECLARED}}</p>", "variables": []any{
			map[string]any{"key": "NAME", "type": "string"}, map[string]any{"key": "N", "type": "number"},
			map[string]any{"key": "ITEMS", "type": "list"}, map[string]any{"key": "OK", "type": "boolean", "optional": true},
		},
	})
	w.published(map[string]any{"alias": "foot", "kind": "partial", "html": "x"})
	w.stencil(map[string]any{"alias": "draft", "html": "x"})
	good := func() map[string]any {
		return map[string]any{"NAME": "Ann", "N": 1, "ITEMS": []any{}, "UNDECLARED": "x"}
	}
	w.with("order", good()).want(t, 202, "")
	for name, c := range map[string]struct {
		template string
		change   map[string]any
		more     []string
		want     string
	}{
		"missing":              {"order", map[string]any{"NAME": nil}, nil, "/template/variables/NAME missing_variable"},
		"two missing":          {"order", map[string]any{"NAME": nil, "N": nil}, nil, "/template/variables/NAME missing_variable, /template/variables/N missing_variable"},
		"missing, undeclared":  {"order", map[string]any{"UNDECLARED": nil}, nil, "/template/variables/UNDECLARED missing_variable"},
		"missing in a list":    {"order", map[string]any{"ITEMS": []any{map[string]any{"title": "a"}, map[string]any{}}}, nil, "/template/variables/ITEMS/1/title missing_variable"},
		"a number for a text":  {"order", map[string]any{"NAME": 7}, nil, "/template/variables/NAME invalid_variable"},
		"a text for a number":  {"order", map[string]any{"N": "7"}, nil, "/template/variables/N invalid_variable"},
		"an object for a list": {"order", map[string]any{"ITEMS": map[string]any{}}, nil, "/template/variables/ITEMS invalid_variable"},
		"a text for a boolean": {"order", map[string]any{"OK": "true"}, nil, "/template/variables/OK invalid_variable"},
		"a list to show":       {"order", map[string]any{"UNDECLARED": []any{1}}, nil, "/template/variables/UNDECLARED invalid_variable"},
		"NUL in a value":       {"order", map[string]any{"NAME": "a\x00"}, nil, "/template/variables/NAME invalid_field"},
		"no such template":     {"nobody", nil, nil, "/template/id template_not_found"},
		"no such id":           {message.NewID().String(), nil, nil, "/template/id template_not_found"},
		"no alias at all":      {"../x", nil, nil, "/template/id template_not_found"},
		"an empty one":         {"", nil, nil, "/template/id missing_field"},
		"a draft":              {"draft", nil, nil, "/template/id template_not_found"},
		"a partial":            {"foot", nil, nil, "/template/id template_not_found"},
		"html beside it":       {"order", nil, []string{"html", "<p>"}, "/html invalid_field"},
		"text beside it":       {"order", nil, []string{"text", "x"}, "/text invalid_field"},
		"no locale":            {"order", nil, []string{"locale", "German!"}, "/template/locale invalid_field"},
		"other faults as well": {"order", map[string]any{"NAME": nil}, []string{"lane", "fast"}, "/lane invalid_field, /template/variables/NAME missing_variable"},
	} {
		t.Run(name, func(t *testing.T) {
			values := good()
			for k, v := range c.change {
				values[k] = v
			}
			a := w.with(c.template, values, c.more...)
			a.want(t, 422, "validation_error")
			if got := strings.Join(a.faults(), ", "); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, a.body)
			}
		})
	}
	for body, want := range map[string]string{
		`"order"`: "/template invalid_field", `{"id":"order","variables":[]}`: "/template/variables invalid_field", `{"id":7}`: "/template/id invalid_field",
		`{"id":"order","vars":{}}`: "/template/vars unknown_field", `{"id":"order","variables":{"N":1e999999}}`: "/template/variables/N invalid_field",
	} {
		a := w.do("POST", "/v1/emails", `{"from":"a@example.com","to":"b@example.com","template":`+body+`}`)
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), want) {
			t.Errorf("%s: %v, want %s", body, a.faults(), want)
		}
	}
	w.do("POST", "/v1/emails", `{"to":"b@example.com","template":{"id":"order","variables":{"NAME":"a","N":1,"ITEMS":[],"UNDECLARED":"x"}}}`).want(t, 422, "validation_error")
	if list := w.do("GET", "/v1/emails", ""); len(list.json["data"].([]any)) != 1 {
		t.Errorf("refused emails were stored: %s", list.body)
	}
}

// Rows 53 and 55 of the bad input.
func TestAHostileVariableIsInertInHTMLAndVerbatimInText(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{"alias": "x", "subject": "{{x}}", "html": `<a href="{{x}}" title="{{x}}">{{{x}}}</a>`, "text": "{{x}}"})
	for _, hostile := range []string{
		`"><script>alert(1)</script>`, "javascript:alert(1)", "{{.}}", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "{{x}}", "#{7*7}", "\u2028'\"&<>",
	} {
		m := w.mail(w.with("x", map[string]any{"x": hostile}))
		if m.text("text") != hostile || m.text("subject") != hostile {
			t.Errorf("%q: text %q, subject %q", hostile, m.text("text"), m.text("subject"))
		}
		html := m.text("html")
		if strings.Contains(html, "<script") || strings.Contains(html, `href="javascript:`) || strings.Contains(html, "49") || strings.Count(html, `"`) != 4 {
			t.Errorf("%q: %q", hostile, html)
		}
	}
	for _, line := range []string{"a\r\nBcc: x@example.com", "a\nb", "a\rb"} {
		a := w.with("x", map[string]any{"x": line})
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), "/subject invalid_header") {
			t.Errorf("%q: %v", line, a.faults())
		}
	}
}

// Row 54 of the bad input.
func TestATemplateThatCouldDoHarmIsRefusedWhenItIsSaved(t *testing.T) {
	w := newWorld(t)
	for html, want := range map[string]string{
		`{{env "HOME"}}`: "line 1, column 1", "<p>\n {{call}}": "line 2, column 2", `{{template "x"}}`: "line 1", "{{repeat 1000000000 \"x\"}}": "line 1",
		"{{range 300000000}}{{end}}": "line 1", "{{#while true}}{{/while}}": "no such block", "{{> x}}": "no partial", "<a {{x}}>": "attribute",
		"<p {{#if a}}title='{{/if}}>": "different places", "{{#each a}}{{#each a}}{{#each a}}{{#each a}}{{#each a}}": "4 deep", "{{x": "not closed",
	} {
		a := w.do("POST", "/v1/templates", object(t, map[string]any{"name": "x", "html": html}))
		a.want(t, 422, "validation_error")
		if f := a.faults(); len(f) != 1 || f[0] != "/html invalid_template" || !strings.Contains(a.text("message"), want) {
			t.Errorf("%s: %v %s", html, f, a.text("message"))
		}
	}
	id := w.stencil(map[string]any{"html": "good"})
	w.do("PATCH", "/v1/templates/"+id, `{"html":"{{bad"}`).want(t, 422, "validation_error")
	if a := w.do("GET", "/v1/templates/"+id, ""); a.text("html") != "good" || a.json["version"] != 1.0 {
		t.Errorf("%s", a.body)
	}
	w.published(map[string]any{"alias": "loop", "html": strings.Repeat("{{#each a}}", 3) + "{{@root.b}}" + strings.Repeat("{{/each}}", 3)})
	a := w.with("loop", map[string]any{"a": []any{map[string]any{"a": []any{map[string]any{"a": []any{"y"}}}}}, "b": strings.Repeat("z", 2<<20)})
	if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), "/template render_limit") {
		t.Errorf("%v", a.faults())
	}
}

// The place of a fault is told with the source it is in, whether that is found when the
// template is saved or when it is rendered.
func TestAFaultOfATemplateTellsItsPlace(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{"alias": "label", "kind": "partial", "html": "x\n{{NONE}}", "locales": map[string]any{"de": map[string]any{"html": "\n{{#if a}}'{{/if}}"}}})
	w.published(map[string]any{"alias": "frame", "kind": "layout", "html": "<html>\n<i {{> content}}></i></html>"})
	w.published(map[string]any{"alias": "uses", "subject": "s {{S}}", "html": "<p>\n{{> label}}"})
	w.published(map[string]any{"alias": "loop", "html": "{{#each a}}\n{{@root.b}}{{/each}}"})
	save := func(members map[string]any) answer {
		members["name"] = "x"
		return w.do("POST", "/v1/templates", object(t, members))
	}
	text := func(html string) map[string]any { return map[string]any{"html": html} }
	for name, c := range map[string]struct {
		got               answer
		pointer, sentence string
	}{
		"subject":              {save(map[string]any{"html": "x", "subject": "Hi {{a b}}"}), "/subject invalid_template", "line 1, column 4 of subject: "},
		"html":                 {save(text("<p>\n{{a b}}")), "/html invalid_template", "line 2, column 1 of html: "},
		"text":                 {save(map[string]any{"text": "\n{{a"}), "/text invalid_template", "line 2, column 1 of text: "},
		"a name":               {save(text("<p>\n<a {{b}}>")), "/html invalid_template", "line 2, column 4 of html: "},
		"length":               {save(text(strings.Repeat("x", 513<<10))), "/html invalid_template", "line 1, column 524289 of html: "},
		"language":             {save(map[string]any{"html": "x", "locales": map[string]any{"de": text("{{")}}), "/locales/de/html invalid_template", "line 1, column 1 of html: "},
		"a layout":             {save(map[string]any{"kind": "layout", "alias": "l", "html": "\n{{end}}"}), "/html invalid_template", "line 2, column 1 of html: "},
		"a partial's language": {save(text("<p>\n<a title='{{> label}}'>")), "/html invalid_template", "line 2, column 1 of html in label (de): "},
		"within a layout":      {save(map[string]any{"layout": "frame", "html": "a\"b"}), "/html invalid_template", "line 1, column 2 of html: "},
		"a layout around":      {save(map[string]any{"layout": "frame", "html": "{{b}}=x"}), "/html invalid_template", "line 1, column 1 of html: "},
		"missing in a partial": {w.with("uses", map[string]any{"S": "s"}), "/template/variables/NONE missing_variable", "(line 2, column 1 of html in label)"},
		"missing in a subject": {w.with("uses", nil), "/template/variables/S missing_variable", "(line 1, column 3 of subject)"},
		"too much":             {w.with("loop", map[string]any{"a": []any{1, 2}, "b": strings.Repeat("x", 600_000)}), "/template render_limit", "(line 2, column 1 of html)"},
	} {
		t.Run(name, func(t *testing.T) {
			c.got.want(t, 422, "validation_error")
			if f := c.got.faults(); len(f) != 1 || f[0] != c.pointer || !strings.Contains(c.got.text("message"), c.sentence) {
				t.Errorf("%v %s, want %s …%s…", f, c.got.text("message"), c.pointer, c.sentence)
			}
		})
	}
}

func TestWhatATemplateMayBe(t *testing.T) {
	w := newWorld(t)
	w.stencil(map[string]any{"alias": "taken", "html": "x"})
	variable := func(members ...any) map[string]any {
		v := map[string]any{}
		for i := 0; i < len(members); i += 2 {
			v[members[i].(string)] = members[i+1]
		}
		return map[string]any{"html": "x", "variables": []any{v}}
	}
	for name, c := range map[string]struct {
		members map[string]any
		want    string
	}{
		"no name":              {map[string]any{"name": "", "html": "x"}, "/name missing_field"},
		"a long name":          {map[string]any{"name": strings.Repeat("x", 201), "html": "x"}, "/name invalid_field"},
		"nothing in it":        {map[string]any{}, "/html missing_field"},
		"an alias like an id":  {map[string]any{"html": "x", "alias": message.NewID().String()}, "/alias invalid_field"},
		"an alias with blanks": {map[string]any{"html": "x", "alias": "a b"}, "/alias invalid_field"},
		"the alias content":    {map[string]any{"html": "x", "alias": "content"}, "/alias invalid_field"},
		"an alias twice":       {map[string]any{"html": "x", "alias": "taken"}, "/alias alias_taken"},
		"a bad sender":         {map[string]any{"html": "x", "from": "nobody"}, "/from invalid_address"},
		"a bad answer":         {map[string]any{"html": "x", "reply_to": []any{"a@example.com", "b"}}, "/reply_to/1 invalid_address"},
		"a kind":               {map[string]any{"html": "x", "kind": "page"}, "/kind invalid_field"},
		"a partial, no alias":  {map[string]any{"html": "x", "kind": "partial"}, "/alias missing_field"},
		"a layout's subject":   {map[string]any{"html": "{{> content}}", "kind": "layout", "alias": "l", "subject": "x"}, "/subject invalid_field"},
		"no such layout":       {map[string]any{"html": "x", "layout": "none"}, "/layout invalid_field"},
		"a subject of lines":   {map[string]any{"html": "x", "subject": "a\r\nBcc: b"}, "/subject invalid_template"},
		"a long subject":       {map[string]any{"html": "x", "subject": strings.Repeat("x", 2049)}, "/subject header_too_large"},
		"a locale":             {map[string]any{"html": "x", "locales": map[string]any{"german": map[string]any{"html": "y"}}}, "/locales/german invalid_field"},
		"a locale twice":       {map[string]any{"html": "x", "locales": map[string]any{"de-AT": map[string]any{"html": "y"}, "de_at": map[string]any{"html": "y"}}}, "/locales/de_at invalid_field"},
		"a fault in a locale":  {map[string]any{"html": "x", "locales": map[string]any{"de": map[string]any{"html": "{{"}}}, "/locales/de/html invalid_template"},
		"a variable's name":    {variable("key", "a b", "type", "string"), "/variables/0/key invalid_field"},
		"a word as a variable": {variable("key", "each", "type", "string"), "/variables/0/key invalid_field"},
		"a variable's type":    {variable("key", "a", "type", "date"), "/variables/0/type invalid_field"},
		"a variable, no type":  {variable("key", "a"), "/variables/0/type missing_field"},
		"another fallback":     {variable("key", "a", "type", "number", "fallback_value", "1"), "/variables/0/fallback_value invalid_field"},
		"a variable twice":     {map[string]any{"html": "x", "variables": []any{map[string]any{"key": "a", "type": "string"}, map[string]any{"key": "a", "type": "string"}}}, "/variables/1/key invalid_field"},
		"an unknown field":     {map[string]any{"html": "x", "replyTo": "a@example.com"}, "/replyTo unknown_field"},
		"too long":             {map[string]any{"html": strings.Repeat("x", 513<<10)}, "/html invalid_template"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.members["name"] == nil {
				c.members["name"] = "x"
			}
			a := w.do("POST", "/v1/templates", object(t, c.members))
			a.want(t, 422, "validation_error")
			if got := strings.Join(a.faults(), ", "); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, a.body)
			}
		})
	}
	w.do("POST", "/v1/templates", `{"name":"x","name":"y"}`).want(t, 400, "duplicate_key")
	w.do("POST", "/v1/templates", `[]`).want(t, 400, "invalid_json")
	w.do("POST", "/v1/templates", `{}`, "Content-Type", "text/plain").want(t, 415, "unsupported_media_type")
	w.do("POST", "/v1/templates", `{"name":"`+strings.Repeat("x", 7<<20)+`"}`).want(t, 413, "body_too_large")
}

func TestLayoutsPartialsAndLocales(t *testing.T) {
	w := newWorld(t)
	text := func(html string) map[string]any { return map[string]any{"html": html} }
	w.published(map[string]any{"alias": "foot", "kind": "partial", "html": "<i>{{YEAR}}</i>", "text": "{{YEAR}}",
		"variables": []any{map[string]any{"key": "YEAR", "type": "number", "fallback_value": 2026}}, "locales": map[string]any{"de": text("<i>Jahr {{YEAR}}</i>")}})
	frame := w.published(map[string]any{"alias": "frame", "kind": "layout", "html": "<html>{{> content}}{{> foot}}</html>"})
	w.published(map[string]any{"alias": "mail", "layout": "frame", "subject": "Hello", "html": "<b>{{NAME}}</b>", "text": "{{NAME}} {{> foot}}",
		"locales": map[string]any{"de": map[string]any{"subject": "Hallo", "html": "<b>Hallo {{NAME}}</b>"}, "de-AT": map[string]any{"subject": "Servus"}}})
	for locale, want := range map[string]string{
		"": "Hello|<html><b>A</b><i>2026</i></html>|A 2026", "fr": "Hello|<html><b>A</b><i>2026</i></html>|A 2026",
		"de": "Hallo|<html><b>Hallo A</b><i>Jahr 2026</i></html>|", "DE_ch": "Hallo|<html><b>Hallo A</b><i>Jahr 2026</i></html>|",
		"de-AT": "Servus|<html><b>Hallo A</b><i>Jahr 2026</i></html>|", "de-at-1901": "Servus|<html><b>Hallo A</b><i>Jahr 2026</i></html>|",
	} {
		more := []string{}
		if locale != "" {
			more = []string{"locale", locale}
		}
		for range 2 { // compiled, and from the cache
			m := w.mail(w.with("mail", map[string]any{"NAME": "A"}, more...))
			if got := m.text("subject") + "|" + m.text("html") + "|" + m.text("text"); got != want {
				t.Errorf("%q: %s, want %s", locale, got, want)
			}
		}
	}
	w.do("PATCH", "/v1/templates/"+frame, `{"html":"<html>new {{> content}}</html>"}`).want(t, 200, "")
	w.do("POST", "/v1/templates/frame/publish", "").want(t, 200, "")
	if m := w.mail(w.with("mail", map[string]any{"NAME": "A"})); strings.Contains(m.text("html"), "new") {
		t.Error("what was published has changed with its layout")
	}
	preview := w.do("POST", "/v1/templates/mail/render", `{"variables":{"NAME":"<A>"}}`)
	if strings.Contains(preview.text("html"), "new") {
		t.Errorf("%s", preview.body)
	}
	w.do("POST", "/v1/templates/mail/publish", "").want(t, 200, "")
	if m := w.mail(w.with("mail", map[string]any{"NAME": "A"})); m.text("html") != "<html>new <b>A</b></html>" {
		t.Errorf("published anew: %s", m.body)
	}
	a := w.do("PATCH", "/v1/templates/foot", `{"html":"{{> other}}"}`)
	a.want(t, 422, "validation_error")
	w.published(map[string]any{"alias": "other", "kind": "partial", "html": "{{> foot}}"})
	a = w.do("PATCH", "/v1/templates/foot", `{"html":"{{> other}}"}`)
	if a.want(t, 422, "validation_error"); !strings.Contains(a.text("message"), "includes itself") {
		t.Errorf("%s", a.body)
	}
}

func TestATrialStoresNothing(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{"alias": "mail", "subject": "{{a}}", "html": "<b>{{a}}</b>"})
	w.do("PATCH", "/v1/templates/mail", `{"html":"<i>{{a}}</i>"}`).want(t, 200, "")
	a := w.do("POST", "/v1/templates/mail/render", `{"variables":{"a":"<x>"}}`)
	if a.want(t, 200, ""); a.text("html") != "<i>&lt;x&gt;</i>" || a.text("subject") != "<x>" || a.json["version"] != 2.0 || a.json["text"] != nil {
		t.Errorf("%s", a.body)
	}
	a = w.do("POST", "/v1/templates/mail/render", `{"variables":{"a":"<x>"},"version":"published"}`)
	if a.want(t, 200, ""); a.text("html") != "<b>&lt;x&gt;</b>" || a.json["version"] != 1.0 {
		t.Errorf("%s", a.body)
	}
	a = w.do("POST", "/v1/templates/mail/render", `{}`)
	if a.want(t, 422, "validation_error"); fmt.Sprint(a.faults()) != "[/variables/a missing_variable]" {
		t.Errorf("%s", a.body)
	}
	a = w.do("POST", "/v1/templates/mail/render", `{"version":"old","locale":7}`)
	if a.want(t, 422, "validation_error"); len(a.faults()) != 2 {
		t.Errorf("%s", a.body)
	}
	if list := w.do("GET", "/v1/emails", ""); len(list.json["data"].([]any)) != 0 {
		t.Errorf("%s", list.body)
	}
}

func TestTextIsMadeOfHTMLWhereThatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{"alias": "mail", "html": "<p>Dear {{a}}</p><p>Bye</p>", "generate_text": true})
	if m := w.mail(w.with("mail", map[string]any{"a": "<A> & \"B\""})); m.text("text") != "Dear <A> & \"B\"\n\nBye" {
		t.Errorf("%s", m.body)
	}
	w.do("PATCH", "/v1/templates/mail", `{"text":"own"}`).want(t, 200, "")
	w.do("POST", "/v1/templates/mail/publish", "").want(t, 200, "")
	if m := w.mail(w.with("mail", map[string]any{"a": "x"})); m.text("text") != "own" {
		t.Errorf("%s", m.body)
	}
}

func TestStyleIsPutInPlaceWhereThatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	w.published(map[string]any{"alias": "mail", "inline_css": true, "html": "<style>.a{color:{{c}}}</style><p class=a>{{x}}</p>"})
	m := w.mail(w.with("mail", map[string]any{"c": "red", "x": "</p><style>p{}"}))
	if want := `<style>.a{color:red}</style><p class="a" style="color:red">&lt;/p&gt;&lt;style&gt;p{}</p>`; m.text("html") != want {
		t.Errorf("%s, want %s", m.text("html"), want)
	}
	w.published(map[string]any{"alias": "much", "inline_css": true, "html": "<style>" + strings.Repeat("p{a:b}", 1_000) + "</style>{{#each l}}<p>{{/each}}"})
	a := w.with("much", map[string]any{"l": make([]any, 10_000)})
	if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), "/template render_limit") {
		t.Errorf("%v", a.faults())
	}
}

func TestAnothersTemplateIsNotFound(t *testing.T) {
	w := newWorld(t)
	id := w.published(map[string]any{"alias": "mine", "html": "x"})
	theirs := []string{"Authorization", "Bearer " + keyB}
	for _, name := range []string{id, "mine", "nobody", "..%2fx", "a%00b", strings.Repeat("x", 300)} {
		for _, call := range [][2]string{{"GET", ""}, {"PATCH", ""}, {"DELETE", ""}, {"POST", "/publish"}, {"POST", "/duplicate"}, {"POST", "/render"}} {
			w.do(call[0], "/v1/templates/"+name+call[1], "{}", theirs...).want(t, 404, "not_found")
		}
	}
	a := w.do("POST", "/v1/emails", `{"from":"a@example.com","to":"b@example.com","template":{"id":"`+id+`"}}`, theirs...)
	if a.want(t, 422, "validation_error"); fmt.Sprint(a.faults()) != "[/template/id template_not_found]" {
		t.Errorf("%s", a.body)
	}
	w.do("POST", "/v1/templates", `{"name":"x","html":"{{> mine}}"}`, theirs...).want(t, 422, "validation_error")
	w.do("POST", "/v1/templates", `{"name":"x","alias":"mine","html":"x"}`, theirs...).want(t, 201, "")
	w.do("GET", "/v1/templates", "", theirs...).want(t, 200, "")
}

func TestARepetitionByTemplateIsOneAlsoAfterItChanged(t *testing.T) {
	w := newWorld(t)
	id := w.published(map[string]any{"alias": "mail", "html": "{{a}}"})
	send := func(value string) answer {
		return w.do("POST", "/v1/emails", `{"from":"a@example.com","to":"b@example.com","template":{"id":"mail","variables":{"a":"`+value+`"}}}`, "Idempotency-Key", "one")
	}
	first := send("x")
	first.want(t, 202, "")
	send("y").want(t, 409, "invalid_idempotent_request")
	w.do("PATCH", "/v1/templates/"+id, `{"html":"new {{a}}"}`).want(t, 200, "")
	w.do("POST", "/v1/templates/"+id+"/publish", "").want(t, 200, "")
	for _, step := range []string{"changed", "removed"} {
		again := send("x")
		if again.want(t, 202, ""); again.text("id") != first.text("id") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %s", step, again.body)
		}
		if step == "changed" {
			w.do("DELETE", "/v1/templates/"+id, "").want(t, 200, "")
		}
	}
}
