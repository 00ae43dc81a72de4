package handlebars_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/postrider/postrider/internal/handlebars"
)

// refusals are the errors that a stranger's template may be answered with.
func known(err error) bool {
	return errors.As(err, new(*handlebars.Error)) || errors.As(err, new(*handlebars.ValueError)) || errors.As(err, new(*handlebars.LimitError))
}

func add(f *testing.F, bodies ...string) {
	for _, body := range bodies {
		f.Add(body)
	}
}

// seeds are templates of every construction, and some that are none.
func seeds() []string {
	return []string{
		"", "plain", "{{a}}", "{{{a}}}", "{{a.b.0}}", "{{#if a}}x{{else if b}}y{{else}}z{{/if}}", "{{#unless a}}x{{/unless}}",
		"{{#each l}}{{this}}{{@index}}{{#if @last}}.{{/if}}{{../a}}{{else}}none{{/each}}", "{{> p}}", "{{! c }}{{!-- }} --}}", `\{{a}}`,
		"<a href='{{a}}?x={{b}}' title={{a}} style='color:{{a}}' onclick='f({{a}})'>{{a}}</a>", "<script>var x = {{a}}</script><style>p{x:{{a}}}</style>",
		"<!--[if mso]><td width='{{a}}'><![endif]--><!--[if !mso]><!--><b>{{a}}</b><!--<![endif]-->", "<!-- {{a}} -->", "<title>{{a}}</title><textarea>{{a}}</textarea>",
		"{{#if a}}\n  {{#each l}}\r\n{{this}}\n{{/each}}\n{{/if}}", "<p {{#if a}}class='{{b}}'{{/if}}>", "{{{{a}}}}", "{{#if a}}{{/each}}", "<img srcset='{{a}} 2x, {{b}}'>",
		"<svg><a xlink:href='{{a}}'/></svg><math><mtext>{{a}}", "<table><b>{{a}}<tr><td>{{a}}", "<xmp>{{a}}</xmp><iframe>{{a}}</iframe><noscript>{{a}}</noscript><plaintext>{{a}}",
		"<a {{#if f}}data-{{/if}}href='{{a}}'>", "<a {{#each n}}x {{/each}}href='{{a}}'>", "<a x/href='{{a}}' / src='{{b}}'>", "<a o{{#if a}}n{{/if}}x='{{a}}'>",
		"<p title={{#if f}}{{a}}{{/if}} id='{{b}}'>", "<s{{#if a}}cript{{/if}}>{{a}}</script>", "<iframe srcdoc='{{a}}'>", "<svg><style><a title='</style>' {{> p}}",
		"<xmp><a title='</xmp><b {{a}}'>", "<!--[if mso]><a title='--><b {{a}}'><![endif]-->", "<i {{#unless f}}{{#each l}}c{{/each}}='{{a}}'{{/unless}}>", "<svg><style><![CDATA[</style><a title=']]><b {{a}}'>",
		"<a!\f='{{a}}'>", "<a! {{#if f}}x='1'{{/if}}href='{{a}}'>", "<h{{#if a}}1{{/if}} {{#if f}}x='1'{{/if}}href='{{a}}'>",
		"<!DOCTYPE <a title='><i {{a}}'>", "<!DOCTYPE html><?xml version='1.0'?><![if !mso]><b>{{a}}</b><![endif]>", "<!--[if !mso]><!-- --><b title='{{a}}'><!-- <![endif]-->",
		"<script type='text/x'><a title='</script><i {{a}}'>", "<a title=<!--[if mso]> title='{{a}}'>", "<script>0<{{#if f}}{{/if}}/script><i title='{{a}}'></script>", "<!--><b>{{a}}</b>-->",
		"<svg><script </script>{{a}}", "<title x=</title><i title='{{a}}'>",
	}
}

// FuzzCompile: every text is compiled, or refused with its place, and what is
// compiled ends.
func FuzzCompile(f *testing.F) {
	add(f, seeds()...)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4_000 {
			return // what is long is bounded elsewhere
		}
		part := handlebars.Part{HTML: text, Text: text}
		compiled, err := handlebars.Compile(handlebars.Source{
			Subject: text, Body: part, Layout: &handlebars.Part{HTML: "<html>{{> content}}</html>", Text: "{{> content}}"},
			Partials: map[string]handlebars.Part{"p": {HTML: "<i>{{a}}</i>", Text: "{{a}}"}, "self": part},
		})
		if err != nil {
			var refused *handlebars.Error
			if !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if refused.Line < 1 || refused.Line > strings.Count(text, "\n")+1 || refused.Column < 1 {
				t.Errorf("%q: %v", text, refused)
			}
			return
		}
		for _, v := range []map[string]any{{}, filled("x")} {
			if out, err := compiled.Render(context.Background(), v); err != nil && (!known(err) || placeOf(err) == "") {
				t.Error(err)
			} else if len(out.HTML)+len(out.Text)+len(out.Subject) > handlebars.MaxOutput {
				t.Error("too long")
			}
		}
	})
}

// filled gives every name that the seeds use the same value, but for f and n, which are
// none.
func filled(s string) map[string]any {
	return map[string]any{"a": s, "b": s, "c": s, "f": false, "l": []any{s, s}, "n": []any{}, "o": map[string]any{"a": s, "b": s}}
}

// FuzzValues: no value changes the elements and the names of attributes that a
// template has, nor becomes a script, for any of the programs that read conditional
// comments in their own ways.
func FuzzValues(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, `"><script>alert(1)</script>`)
		f.Add(s, `'-->]]><![endif]--></style></title></textarea></script><img src=x onerror=alert(1)>`)
	}
	f.Add("<p {{> p}}=x {{> q}} title='{{> p}}'>{{> p}}", "onclick")
	f.Add("<p {{> p}}>", "hidden")
	f.Add("<p title={{a}}>", " onclick=x a")
	f.Add("<p title='{{a}}'>", "' onclick='x")
	for _, s := range seeds() {
		f.Add(s, "javascript:alert('\"') onclick=x")
	}
	f.Add("<a href='{{a}}:{{b}}'>", "javascript")
	f.Fuzz(func(t *testing.T, text, value string) {
		const word = "harmless"
		if len(text) > 4_000 || value == "" || strings.Contains(text, word) {
			return // an empty value is another condition
		}
		compiled, err := handlebars.Compile(handlebars.Source{
			Body:     handlebars.Part{HTML: text, Text: text},
			Partials: map[string]handlebars.Part{"p": {HTML: "{{a}}", Text: "{{b}}"}, "q": {HTML: "{{#if a}}{{> p}}{{/if}}='b'", Text: "{{b}}"}},
		})
		if err != nil {
			return
		}
		harmless, err := compiled.Render(context.Background(), filled(word))
		if err != nil {
			return
		}
		hostile, err := compiled.Render(context.Background(), filled(value))
		if err != nil {
			return
		}
		for _, program := range []*strings.Replacer{strings.NewReplacer(), outlook()} {
			want, got := structure(t, program.Replace(harmless.HTML), value), structure(t, program.Replace(hostile.HTML), value)
			if want != got {
				t.Errorf("%q with %q\n%q has %s\n%q has %s", text, value, harmless.HTML, want, hostile.HTML, got)
			}
		}
		if strings.Contains(harmless.Text, word) && !strings.Contains(hostile.Text, value) {
			t.Errorf("%q with %q became the text %q", text, value, hostile.Text)
		}
	})
}

// outlook makes of a text what a program reads that heeds conditional comments.
func outlook() *strings.Replacer {
	return strings.NewReplacer("<!--[if mso]>", "", "<!--<![endif]-->", "", "<!-- <![endif]-->", "", "<![endif]-->", "")
}

// structure is the tree of elements and attributes that a program sees, and what of it
// would be run if the value came there as it is.
func structure(t *testing.T, text, value string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.ElementNode:
			b.WriteString("<" + n.Namespace + ":" + n.Data)
			for _, a := range n.Attr {
				b.WriteString(" " + a.Namespace + ":" + a.Key)
				if runs(a.Key, a.Val, value) {
					b.WriteString("!")
				}
			}
			b.WriteString(">")
		case html.CommentNode:
			b.WriteString("<!>")
		case html.TextNode:
			if n.Parent.Data == "script" && verbatim(n.Data, value) {
				b.WriteString("!")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode {
			b.WriteString("</>")
		}
	}
	walk(root)
	return b.String()
}

// runs reports whether an attribute has the value as a program or as the address of one.
func runs(name, text, value string) bool {
	const scheme = "javascript:"
	begins := func(s string) bool { return len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) }
	switch {
	case name == "href" || name == "src" || name == "action" || name == "formaction" || name == "background":
		return begins(value+":") && begins(strings.TrimSpace(text))
	case strings.HasPrefix(name, "on") && !strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }), name == "style":
		return verbatim(text, value)
	}
	return name == "srcdoc" && strings.Contains(value, "<") && strings.Contains(text, value)
}

// verbatim reports whether a value with both quotes stands in a program as it is: in the
// quotes of a program at least one of them is escaped, by what stands before it.
func verbatim(text, value string) bool {
	value = strings.TrimLeft(value, `'"`)
	return strings.Contains(value, "'") && strings.Contains(value, `"`) && strings.Contains(text, value)
}
