package handlebars_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/handlebars"
)

// values reads what a caller would send.
func values(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func render(t testing.TB, s handlebars.Source, text string) (handlebars.Output, error) {
	t.Helper()
	compiled, err := handlebars.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Render(t.Context(), values(t, text))
}

func TestTheLanguage(t *testing.T) {
	const data = `{"name":"Ann","n":1.50,"zero":0,"yes":true,"no":false,"none":null,"empty":"","user":{"mail":"a@b.c","tags":["x","y"]},
		"items":[{"name":"Tea","n":2},{"name":"Cup","n":1}],"words":["a","b"],"nothing":[],"rows":[["1","2"],["3"]]}`
	for name, c := range map[string]struct{ template, want string }{
		"a value":                {"Hi {{name}}!", "Hi Ann!"},
		"three braces":           {"Hi {{{ name }}}!", "Hi Ann!"},
		"a number as written":    {"{{n}}", "1.50"},
		"a boolean":              {"{{yes}} {{no}}", "true false"},
		"a path":                 {"{{user.mail}} {{user.tags.1}}", "a@b.c y"},
		"if":                     {"{{#if yes}}y{{/if}}{{#if no}}n{{/if}}", "y"},
		"else":                   {"{{#if no}}y{{else}}n{{/if}}", "n"},
		"else if":                {"{{#if no}}1{{else if zero}}2{{else if name}}3{{else}}4{{/if}}", "3"},
		"what counts as false":   {"{{#if zero}}1{{/if}}{{#if empty}}2{{/if}}{{#if none}}3{{/if}}{{#if nothing}}4{{/if}}{{#if absent.x}}5{{/if}}", ""},
		"what counts as true":    {"{{#if n}}1{{/if}}{{#if user}}2{{/if}}{{#if words}}3{{/if}}", "123"},
		"unless":                 {"{{#unless no}}1{{/unless}}{{#unless yes}}2{{else}}3{{/unless}}", "13"},
		"each":                   {"{{#each words}}{{@index}}{{this}}{{/each}}", "0a1b"},
		"names of an element":    {"{{#each items}}{{name}}={{this.n}};{{/each}}", "Tea=2;Cup=1;"},
		"first and last":         {"{{#each words}}{{#if @first}}[{{/if}}{{this}}{{#if @last}}]{{else}},{{/if}}{{/each}}", "[a,b]"},
		"the scope outside":      {"{{#each items}}{{../name}}{{@root.name}}{{/each}}", "AnnAnnAnnAnn"},
		"loops in loops":         {"{{#each rows}}{{#each this}}{{this}}{{@index}}{{../../name}} {{/each}}{{/each}}", "10Ann 21Ann 30Ann "},
		"each of nothing":        {"{{#each nothing}}x{{else}}none{{/each}}{{#each absent}}x{{/each}}", "none"},
		"outside again in else":  {"{{#each nothing}}{{else}}{{name}}{{/each}}", "Ann"},
		"comments":               {"a{{! {{b}}c{{!-- }} --}}d", "acd"},
		"two braces":             {`a \{{name}} b`, "a {{name}} b"},
		"one brace":              {"{a} }} }", "{a} }} }"},
		"a tag alone on a line":  {"a\n  {{#if yes}}  \nb\n{{/if}}\nc\n", "a\nb\nc\n"},
		"a loop on lines":        {"{{#each words}}\r\n- {{this}}\r\n{{/each}}\r\nend", "- a\r\n- b\r\nend"},
		"values keep their line": {"{{name}}\n{{name}}\n", "Ann\nAnn\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := render(t, handlebars.Source{Body: handlebars.Part{Text: c.template}}, data)
			if err != nil || out.Text != c.want {
				t.Errorf("%q\ngot  %q %v\nwant %q", c.template, out.Text, err, c.want)
			}
		})
	}
}

func TestWhatIsRefusedNamesItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		html         string
		line, column int
		word         string
	}{
		"not closed":            {"a\nb {{name", 2, 3, "not closed"},
		"no end of a block":     {"\n\n{{#if a}}", 3, 1, "never closed"},
		"another end":           {"{{#if a}}\n{{/each}}", 2, 1, "of line 1"},
		"an end of nothing":     {"ü{{/if}}", 1, 2, "closes nothing"},
		"else of nothing":       {"{{else}}", 1, 1, "no block"},
		"two else":              {"{{#if a}}{{else}}{{else}}{{/if}}", 1, 18, "already"},
		"else what":             {"{{#if a}}{{else unless b}}{{/if}}", 1, 10, "else if"},
		"an unknown block":      {"{{#with a}}{{/with}}", 1, 1, "no such block"},
		"a block of two":        {"{{#if a b}}{{/if}}", 1, 1, "one value"},
		"a function":            {`{{env "HOME"}}`, 1, 1, "no functions"},
		"a function, three":     {`{{{uppercase name}}}`, 1, 1, "no functions"},
		"a word of Go":          {"{{call}}", 1, 1, "reserved"},
		"its template":          {`{{template "a"}}`, 1, 1, "no functions"},
		"its end":               {"{{end}}", 1, 1, "reserved"},
		"its range":             {"{{range 300000000}}{{end}}", 1, 1, "no functions"},
		"its dot":               {"{{.Name}}", 1, 1, "begins with a dot"},
		"a pipe":                {"{{a|b}}", 1, 1, "not the name"},
		"a sum":                 {"{{7*7}}", 1, 1, "not the name"},
		"a prototype is a name": {"{{#each a}}{{@key}}{{/each}}", 1, 12, "not the name"},
		"index outside":         {"{{@index}}", 1, 1, "inside {{#each}}"},
		"index in else":         {"{{#each a}}{{else}}{{@index}}{{/each}}", 1, 20, "inside {{#each}}"},
		"too far out":           {"{{#each a}}{{../../b}}{{/each}}", 1, 12, "out of the outermost"},
		"empty":                 {"{{ }}", 1, 1, "empty"},
		"a block in three":      {"{{{#if a}}}", 1, 1, "three braces"},
		"no such partial":       {"\n {{> footer}}", 2, 2, "no partial"},
		"an include with more":  {"{{> a b}}", 1, 1, "no arguments"},
		"content in a body":     {"{{> content}}", 1, 1, "only in a layout"},
		"NUL":                   {"a\x00b", 1, 2, "NUL"},
		"branches that differ":  {"<p>\n{{#if a}}<b title='{{/if}}", 2, 1, "different places"},
		"without quotes":        {"<p>\n<a {{#if a}}b={{b}}{{/if}} c=d>", 2, 4, "put values in quotes"},
		"a loop that differs":   {"<p>{{#each a}}<b title='{{/each}}'>", 1, 4, ""},
		"an end in a tag":       {"<p>\n<b title='", 2, 11, "ends inside"},
		"an uncertain URL":      {"<a href='{{#if a}}x{{else}}?{{/if}}{{b}}'>", 1, 36, "URL"},
		"an attribute's name":   {"<a {{b}}>", 1, 4, "attribute"},
		"a quote in a name":     {"<p>\n<a b='c' d\"e>", 2, 11, "attribute name"},
		"a bare quote":          {"<p>\n<a b=c\"d>", 2, 7, "put the value in quotes"},
		"a query string":        {"<p>\n<a href={{b}}?c={{d}}>", 2, 16, "put the value in quotes"},
		"a tag's name":          {"<p>\n<h{{b}}>", 2, 3, "name of a tag"},
		"too deep":              {strings.Repeat("{{#if a}}", 33) + strings.Repeat("{{/if}}", 33), 1, 289, "32 deep"},
		"too many loops":        {strings.Repeat("{{#each this}}", 5) + strings.Repeat("{{/each}}", 5), 1, 57, "4 deep"},
		"too long":              {strings.Repeat("x", 513<<10), 1, 512<<10 + 1, "at most"},
		"too many":              {strings.Repeat("{{a}}", 50_001), 1, 250_006, "too many"},
		"a long name":           {"{{" + strings.Repeat("a", 101) + "}}", 1, 1, "not the name"},
		"a long path":           {"{{a" + strings.Repeat(".a", 10) + "}}", 1, 1, "10 names"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := handlebars.Compile(handlebars.Source{Body: handlebars.Part{HTML: c.html}})
			var refused *handlebars.Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if refused.Line != c.line || refused.Column != c.column || !strings.Contains(refused.Detail, c.word) || refused.Part != "html" {
				t.Errorf("%+v, want line %d, column %d: …%s…", refused, c.line, c.column, c.word)
			}
			if len(refused.Detail) > 300 {
				t.Errorf("an answer of %d bytes", len(refused.Detail))
			}
		})
	}
}

func TestValuesAreEscapedWhereTheyStand(t *testing.T) {
	const hostile = `{"x":"\"><script>alert(1)</script>'","url":"javascript:alert(1)","id":"1&b=2 \"","css":"red;}</style><b>","n":7}`
	for name, c := range map[string]struct{ html, want string }{
		"text":         {`<p>{{x}}</p>`, `<p>&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;</p>`},
		"three braces": {`<p>{{{x}}}</p>`, `<p>&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;</p>`},
		"attribute":    {`<p title="{{x}}">`, `<p title="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;">`},
		"unquoted":     {`<p title={{x}}>`, `<p title=&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;>`},
		"url":          {`<a href="{{url}}">`, `<a href="#ZgotmplZ">`},
		"query":        {`<a href="https://e.org/?a={{id}}">`, `<a href="https://e.org/?a=1%26b%3d2%20%22">`},
		"style":        {`<p style="color:{{css}}">`, `<p style="color:ZgotmplZ">`},
		"style sheet":  {`<style>p{color:{{css}}}</style>`, `<style>p{color:ZgotmplZ}</style>`},
		"script":       {`<script>var x={{x}},n={{n}}</script>`, `<script>var x="\"\u003e\u003cscript\u003ealert(1)\u003c/script\u003e'",n="7"</script>`},
		"title":        {`<title>{{x}}</title>`, `<title>&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;</title>`},
		"Outlook":      {`<!--[if mso]><td width="{{x}}"><![endif]-->`, `<!--[if mso]><td width="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;"><![endif]-->`},
		"not Outlook":  {`<!--[if !mso]><!--><b>{{n}}</b><!--<![endif]-->`, `<!--[if !mso]><!--><b>7</b><!--<![endif]-->`},
		"a tag's name": {`<h{{#if n}}1{{else}}2{{/if}} title="{{n}}">`, `<h1 title="7">`},
		"a tag's end":  {`<tr{{#if n}} class="{{n}}"{{/if}}>`, `<tr class="7">`},
		"a comment":    {`a<!-- {{x}} -->b`, `ab`},
		"doctype":      {`<!DOCTYPE html><p>`, `<!DOCTYPE html><p>`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := render(t, handlebars.Source{Body: handlebars.Part{HTML: c.html, Text: "{{x}}"}, Subject: "{{x}}"}, hostile)
			if err != nil || out.HTML != c.want {
				t.Errorf("got  %q %v\nwant %q", out.HTML, err, c.want)
			}
			if x := values(t, hostile)["x"]; out.Text != x || out.Subject != x {
				t.Errorf("text %q and subject %q, want %q as it is", out.Text, out.Subject, x)
			}
		})
	}
}

func TestAValueThatDoesNotFitIsNamed(t *testing.T) {
	for template, c := range map[string]struct {
		path    string
		missing bool
	}{
		"{{nobody}}":                       {"nobody", true},
		"{{none}}":                         {"none", true},
		"{{user.name}}":                    {"user.name", true},
		"{{user}}":                         {"user", false},
		"{{list}}":                         {"list", false},
		"{{#each user}}{{/each}}":          {"user", false},
		"{{#each list}}{{price}}{{/each}}": {"list.1.price", true},
		"{{#each deep}}{{#each this}}{{this}}{{/each}}{{/each}}": {"deep.0.1", false},
		"{{#each list}}{{#each ../list}}{{x}}{{/each}}{{/each}}": {"list.0.x", true},
		"{{list.7.price}}": {"list.7.price", true},
		"{{this}}":         {"", false},
	} {
		_, err := render(t, handlebars.Source{Body: handlebars.Part{HTML: template}},
			`{"none":null,"user":{"a":"b"},"list":[{"price":1},{"name":"x"}],"deep":[["a",["b"]]]}`)
		var value *handlebars.ValueError
		if !errors.As(err, &value) || strings.Join(value.Path, ".") != c.path || value.Missing != c.missing {
			t.Errorf("%s: %#v %v, want %+v", template, value, err, c)
		}
	}
}

func TestIncludes(t *testing.T) {
	s := handlebars.Source{
		Body:   handlebars.Part{HTML: "<p>{{> greeting}}</p>{{#each items}}{{> item}}{{/each}}", Text: "{{> greeting}}"},
		Layout: &handlebars.Part{HTML: "<html>{{> content}}<i>{{> foot}}</i></html>"},
		Partials: map[string]handlebars.Part{
			"greeting": {HTML: "Dear <b>{{name}}</b>", Text: "Dear {{name}}"},
			"item":     {HTML: `<a title="{{> label}}">{{> label}}</a>`},
			"label":    {HTML: "{{@index}}:{{this}}", Text: "unused"},
			"foot":     {HTML: "{{! nothing }}"},
			"unused":   {HTML: "{{broken"},
		},
	}
	out, err := render(t, s, `{"name":"<A>","items":["\"q\""]}`)
	want := handlebars.Output{
		HTML: `<html><p>Dear <b>&lt;A&gt;</b></p><a title="0:&#34;q&#34;">0:&#34;q&#34;</a><i></i></html>`, Text: "Dear <A>",
	}
	if err != nil || out != want {
		t.Errorf("got  %+v %v\nwant %+v", out, err, want)
	}
	names, err := handlebars.Includes(s.Body)
	if err != nil || strings.Join(names, " ") != "greeting item" {
		t.Errorf("includes %v %v", names, err)
	}
}

func TestIncludesThatAreRefused(t *testing.T) {
	chain := map[string]handlebars.Part{}
	for i := range 10 {
		chain[string(rune('a'+i))] = handlebars.Part{HTML: "{{> " + string(rune('b'+i)) + "}}"}
	}
	chain["k"] = handlebars.Part{HTML: "x"}
	many := map[string]handlebars.Part{}
	all := ""
	for i := range 51 {
		name := "p" + strings.Repeat("x", i)
		many[name] = handlebars.Part{HTML: "x"}
		all += "{{> " + name + "}}"
	}
	for name, c := range map[string]struct {
		source handlebars.Source
		want   string
	}{
		"itself":        {handlebars.Source{Body: handlebars.Part{HTML: "{{> a}}"}, Partials: map[string]handlebars.Part{"a": {HTML: "x\n{{> a}}"}}}, `line 2, column 1 of html in a: "a" includes itself: body → a → a`},
		"each other":    {handlebars.Source{Body: handlebars.Part{HTML: "{{> a}}"}, Partials: map[string]handlebars.Part{"a": {HTML: "{{> b}}"}, "b": {HTML: "{{#if x}}{{> a}}{{/if}}"}}}, `line 1, column 10 of html in b: "a" includes itself`},
		"deep":          {handlebars.Source{Body: handlebars.Part{HTML: "{{> a}}"}, Partials: chain}, "8 deep"},
		"deep by a way": {handlebars.Source{Body: handlebars.Part{HTML: "{{> d}}{{> a}}"}, Partials: chain}, "8 deep"},
		"many":          {handlebars.Source{Body: handlebars.Part{HTML: all}, Partials: many}, "50 texts"},
		"no text":       {handlebars.Source{Body: handlebars.Part{Text: "{{> a}}"}, Partials: map[string]handlebars.Part{"a": {HTML: "x"}}}, `"a" has no text`},
		"in a subject":  {handlebars.Source{Subject: "{{> a}}", Body: handlebars.Part{Text: "x"}, Partials: map[string]handlebars.Part{"a": {Text: "x"}}}, "no partial"},
		"a fault in it": {handlebars.Source{Body: handlebars.Part{HTML: "{{> a}}"}, Partials: map[string]handlebars.Part{"a": {HTML: "\n<p {{#if x}}>{{/if}}"}}}, "line 2, column 4 of html in a: the ways"},
		"two lines":     {handlebars.Source{Subject: "a\r\nBcc: x@y.z", Body: handlebars.Part{Text: "x"}}, "must be one line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := handlebars.Compile(c.source)
			var refused *handlebars.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want …%s…", err, c.want)
			}
		})
	}
}

func TestAnEndedContextEndsTheRendering(t *testing.T) {
	compiled, err := handlebars.Compile(handlebars.Source{Body: handlebars.Part{HTML: "{{#each a}}{{this}}{{/each}}"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := compiled.Render(ctx, values(t, `{"a":[1]}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
