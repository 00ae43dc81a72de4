package handlebars_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/handlebars"
)

// markup is a mail of HTML alone.
func markup(text string, partials ...string) handlebars.Source {
	s := handlebars.Source{Body: handlebars.Part{HTML: text}, Partials: map[string]handlebars.Part{}}
	for i := 0; i+1 < len(partials); i += 2 {
		s.Partials[partials[i]] = handlebars.Part{HTML: partials[i+1]}
	}
	return s
}

// laid is the same within a layout.
func laid(layout string, s handlebars.Source) handlebars.Source {
	s.Layout = &handlebars.Part{HTML: layout}
	return s
}

// manyIncludes is a line per partial, of which there is one too many.
func manyIncludes() handlebars.Source {
	s := markup("")
	for i := range 50 {
		name := "p" + strings.Repeat("x", i)
		s.Body.HTML += "{{> " + name + "}}\n"
		s.Partials[name] = handlebars.Part{HTML: "x"}
	}
	return s
}

// deepIncludes is a chain of nine, each on the second line of the one before.
func deepIncludes(body string) handlebars.Source {
	s := markup(body)
	for c := 'a'; c < 'i'; c++ {
		s.Partials[string(c)] = handlebars.Part{HTML: "\n{{> " + string(c+1) + "}}"}
	}
	s.Partials["i"] = handlebars.Part{HTML: "x"}
	return s
}

// TestEveryFaultOfASourceHasItsPlace has all kinds of faults, in every kind of source.
func TestEveryFaultOfASourceHasItsPlace(t *testing.T) {
	long := strings.Repeat("x", 400<<10)
	for name, c := range map[string]struct {
		source handlebars.Source
		place  string
	}{
		"language, subject":        {handlebars.Source{Subject: "Hi {{a b}}"}, "line 1, column 4 of subject"},
		"two lines in a subject":   {handlebars.Source{Subject: "Hé\r\nBcc: x"}, "line 1, column 3 of subject"},
		"language, text":           {handlebars.Source{Body: handlebars.Part{Text: "a\n {{env}}"}}, "line 2, column 2 of text"},
		"language, html":           {markup("a\n {{env}}"), "line 2, column 2 of html"},
		"language, partial":        {markup("{{> a}}", "a", "\n\n{{x"), "line 3, column 1 of html in a"},
		"language, layout":         {laid("\n{{end}}", markup("x")), "line 2, column 1 of html in the layout"},
		"too long":                 {markup(long + "\n" + long), "line 2, column 114688 of html"},
		"no UTF-8":                 {markup("é\né\xff"), "line 2, column 2 of html"},
		"NUL":                      {markup("é\né\x00"), "line 2, column 2 of html"},
		"no such partial":          {markup("\n{{> b}}"), "line 2, column 1 of html"},
		"no such partial, partial": {markup("{{> a}}", "a", "\nx{{> b}}"), "line 2, column 2 of html in a"},
		"a partial without text":   {handlebars.Source{Body: handlebars.Part{Text: "\n{{> a}}"}, Partials: markup("", "a", "x").Partials}, "line 2, column 1 of text"},
		"itself":                   {markup("{{> a}}", "a", "\n{{> a}}"), "line 2, column 1 of html in a"},
		"content in a body":        {markup("\n{{> content}}"), "line 2, column 1 of html"},
		"many includes":            {laid("{{> content}}", manyIncludes()), "line 49, column 1 of html"},
		"long with includes":       {markup("{{> a}}\n{{> b}}\n{{> c}}", "a", long, "b", long, "c", long), "line 3, column 1 of html"},
		"deep":                     {deepIncludes("{{> a}}"), "line 2, column 1 of html in h"},
		"deep by a way":            {deepIncludes("{{> d}}\n{{> a}}"), "line 2, column 1 of html in c"},
		"too many in loops":        {markup("\n{{#each a}}{{#each a}}{{#each a}}{{#each a}}" + strings.Repeat("{{b}}", 20_000) + "{{/each}}{{/each}}{{/each}}{{/each}}"), "line 2, column 1 of html"},
		"branches":                 {markup("<p>\n{{! longer than in Go }}{{#if a}}<b title='{{/if}}"), "line 2, column 25 of html"},
		"branches, partial":        {markup("{{> a}}", "a", "\n<p {{#if x}}>{{/if}}"), "line 2, column 4 of html in a"},
		"branches, layout":         {laid("<p>\n{{#if a}}<b title='{{/if}}", markup("x")), "line 2, column 1 of html in the layout"},
		"a loop":                   {markup("<p>\n{{#each a}}<b title='{{/each}}'>"), "line 2, column 1 of html"},
		"a loop's second round":    {markup("{{#each a}}\n<a b='\"'{{/each}}"), "line 2, column 8 of html"},
		"an open end":              {markup("<p>\n<b title='"), "line 2, column 11 of html"},
		"an open end, layout":      {laid("{{> content}}\n<p", markup("x\n\n")), "line 2, column 3 of html in the layout"},
		"an uncertain URL":         {markup("<a href='{{#if a}}x{{else}}?{{/if}}\n{{b}}'>"), "line 2, column 1 of html"},
		"an attribute's name":      {markup("{{#if a}}\n<a {{b}}>{{/if}}"), "line 2, column 4 of html"},
		"such a name, partial":     {markup("<a {{> a}}>", "a", "{{#each x}}\n{{y}}='z' {{/each}}"), "line 2, column 1 of html in a"},
		"a name with a sign":       {markup("<p>\n<a!='{{y}}'>"), "line 2, column 4 of html"},
		"a torn name":              {markup("<p>\n<a{{#if x}}0='{{y}}'{{/if}}>"), "line 2, column 13 of html"},
		"a torn name, of three":    {markup("<a{{#if x}}b{{/if}}>\n<i{{#each x}}b{{/each}}='{{y}}'>"), "line 2, column 24 of html"},
		"a torn name, partial":     {markup("<p>{{> a}}", "a", "\n<i{{> b}}>", "b", "b='{{y}}'"), "line 1, column 2 of html in b"},
		"a torn tag":               {markup("<p>\n<s{{#if x}}cript{{/if}}>{{y}}</script>"), "line 2, column 24 of html"},
		"a torn name, of loops":    {markup("<a\n{{#each x}}h {{/each}}ref='{{y}}'>"), "line 2, column 26 of html"},
		"a name behind a way":      {markup("<a\n{{#if x}}title {{/if}}href='{{y}}'>"), "line 2, column 27 of html"},
		"a name with a beginning":  {markup("<a\n{{#if x}}data-{{/if}}href='{{y}}'>"), "line 2, column 26 of html"},
		"a name in two":            {markup("<a\nhr{{#if x}}ef{{/if}}='{{y}}'>"), "line 2, column 21 of html"},
		"a name over an include":   {markup("<a h{{> r}}='{{y}}'>", "r", "\b{{#if x}}ref{{/if}}"), "line 1, column 12 of html"},
		"a name of either kind":    {markup("<a {{#if x}}href {{else}}title{{/if}}='{{y}}'>"), "line 1, column 38 of html"},
		"a slash before a name":    {markup("<p/>\n<a/href='{{y}}'>"), "line 2, column 8 of html"},
		"a slash in a name":        {markup("<a x / = '{{y}}'>"), "line 1, column 8 of html"},
		"maybe no value":           {markup("<p title=\n{{#if x}}{{x}}{{/if}} id='{{y}}'>"), "line 2, column 1 of html"},
		"maybe no element":         {markup("<p title={{#each x}}{{this}}{{/each}}>"), "line 1, column 10 of html"},
		"a page in an attribute":   {markup("<iframe srcdoc='\n{{y}}'>"), "line 2, column 1 of html"},
		"a tag in a style":         {markup("<style>\np{}<b></style>"), "line 2, column 4 of html"},
		"a section in an svg":      {markup("<svg>\n<style><![CDATA[</style>"), "line 2, column 8 of html"},
		"an svg of the last round": {markup("{{#each x}}<style><![CDATA[x]]></style>\n<svg></svg>{{/each}}"), "line 1, column 19 of html"},
		"an svg between the uses":  {markup("{{> s}}<svg></svg>{{> s}}", "s", "<style><![CDATA[x]]></style>"), "line 1, column 8 of html in s"},
		"a scheme by a value":      {markup("<a href='\n{{x}}://{{y}}'>"), "line 2, column 6 of html"},
		"a scheme in pieces":       {markup("<a href=' {{#if x}}{{x}}{{/if}}script{{> c}}'>", "c", "&colon;{{y}}"), "line 1, column 1 of html in c"},
		"a scheme in a loop":       {markup("<img src={{#each x}}{{this}}:{{/each}}>"), "line 1, column 29 of html"},
		"an end in pieces":         {markup("<script>x = '</scr{{#if a}}ipt{{/if}}>'</script>"), "line 1, column 14 of html"},
		"an end not seen by all":   {markup("<noscript>\n<a title='</noscript>'>"), "line 2, column 11 of html"},
		"an end of a comment":      {markup("<!--[if mso]>\n<a title='{{x}}-->'><![endif]-->"), "line 2, column 18 of html"},
		"such an end by a value":   {markup("<!--[if mso]>\n<a title='{{x}}>'><![endif]-->"), "line 2, column 16 of html"},
		"a doctype with a tag":     {markup("\n<!DOCTYPE <a title=\"><a href='{{y}}'>x</a>\">"), "line 2, column 1 of html"},
		"a script that is none":    {markup("<script\ntype='text/x'><a title='</script><a href=\"{{y}}\">x</a>'>"), "line 2, column 7 of html"},
		"a script of any type":     {markup("<script type='{{x}}'></script>"), "line 1, column 15 of html"},
		"a script that is hidden":  {markup("<!--[if mso]><script --\n><a href='{{y}}'>x</a></script>"), "line 2, column 1 of html"},
		"a mark for a value":       {markup("<a title=\n<!--[if mso]> title='{{y}}'>"), "line 2, column 1 of html"},
		"a second time in an svg":  {markup("{{> a}}<svg>{{> a}}", "a", "<style>\n<![CDATA[</style>"), "line 2, column 1 of html in a"},
		"an svg a round before":    {markup("{{#each x}}<style>\n<![CDATA[</style><svg>{{/each}}"), "line 2, column 1 of html"},
		"an end with a return":     {markup("<script>\n0</script\r><a href='{{y}}'></script>"), "line 2, column 2 of html"},
		"an end behind a block":    {markup("<script>\n0<{{#if a}}{{/if}}/script><a href='{{y}}'>x</a></script>"), "line 2, column 2 of html"},
		"a comment behind a block": {markup("<script>\n0<!{{#if a}}{{/if}}--<script </script>\n{{y}}\n</script>"), "line 2, column 2 of html"},
		"a comment that is over":   {markup("x\n<!--><p>y</p><!-- z -->"), "line 2, column 1 of html"},
		"another way to end it":    {markup("x<!-- y --!><p>y</p><!-- z -->"), "line 1, column 9 of html"},
		"an end in a string":       {markup("<script>x = \"\n</script><a href='{{y}}'>\"</script>"), "line 2, column 1 of html"},
		"an end before the tag's":  {markup("<script\n</script>{{y}}</script>"), "line 2, column 1 of html"},
		"such an end for a value":  {markup("<script x=\n</script>{{y}}</script>"), "line 2, column 1 of html"},
		"a name in a layout's tag": {laid("<a {{> content}}>", markup("x\n{{y}}='z'")), "line 2, column 1 of html"},
		"a bare quote":             {markup("<p>c\"d</p>\n<a b=c\"d>"), "line 2, column 7 of html"},
		"such a quote, partial":    {markup("<p>c\"d</p><a b={{> a}}>", "a", "c\n c\"d"), "line 2, column 3 of html in a"},
		"such a quote, second use": {markup("<p>{{> a}}</p><a b={{> a}}>", "a", "c\"d"), "line 1, column 2 of html in a"},
		"a quote in a name":        {markup("<p>d\"e</p>\n<a d\"e>"), "line 2, column 5 of html"},
		"a sign in a tag":          {markup("<p>=</p>\n<a =" + long + ">"), "line 2, column 4 of html"},
		"a slash in a script":      {markup("<script>\nx = {{#if a}}1{{else}}-{{/if}}\n / 2</script>"), "line 3, column 2 of html"},
		"an escape, in a script":   {markup("<script>\nx = 'a{{> e}}b'</script>", "e", "\n\\"), "line 2, column 1 of html in e"},
		"an escape, in entities":   {markup("<a onclick=\"x=&quot;{{> e}}&quot;\">", "e", "a&amp;\\"), "line 1, column 7 of html in e"},
		"an escape, in a style":    {markup("<style>p{a:'a{{> e}}'}</style>", "e", "b\\"), "line 1, column 2 of html in e"},
		"a set, in a script":       {markup("<script>\nx = /[{{a}}]/</script>"), "line 2, column 6 of html"},
		"behind a comment":         {markup("<!--[if mso]>\n<b><![endif]-->\n<a b=c\"d>"), "line 3, column 7 of html"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.source.Body == (handlebars.Part{}) {
				c.source.Body.Text = "x"
			}
			_, err := handlebars.Compile(c.source)
			var refused *handlebars.Error
			if !errors.As(err, &refused) || refused.String() != c.place {
				t.Errorf("error %v, want %s", err, c.place)
			}
			if err != nil && len(err.Error()) > 300 {
				t.Errorf("an answer of %d bytes", len(err.Error()))
			}
		})
	}
}

// The same while rendering, where values take part.
func TestWhatDoesNotRenderHasItsPlace(t *testing.T) {
	loops, ends := strings.Repeat("{{#each @root.a}}", 3), strings.Repeat("{{/each}}", 3)
	long := strings.Repeat("x", 1_000)
	for name, c := range map[string]struct {
		source handlebars.Source
		place  string
	}{
		"work":               {markup("\n" + loops + "\n{{this}}" + ends), "line 3, column 1 of html"},
		"work of nothing":    {markup("\n" + loops + ends), "line 2, column 35 of html"},
		"work, partial":      {markup("{{> a}}", "a", "\n"+loops+"\n{{this}}"+ends), "line 3, column 1 of html in a"},
		"output":             {markup("{{#each a}}\n{{@index}}" + long + "{{/each}}"), "line 2, column 1 of html"},
		"output of includes": {markup("{{#each a}}\n{{> a}}{{/each}}", "a", long), "line 2, column 1 of html"},
		"output of comments": {markup("{{#each a}}\n<!--[if mso]>" + long + "<![endif]-->{{/each}}"), "line 2, column 1 of html"},
		"output, text":       {handlebars.Source{Body: handlebars.Part{Text: "{{#each a}}\n{{long}}{{@root.long}}{{/each}}"}}, "line 2, column 1 of text"},
		"missing":            {markup("a\n {{none}}"), "line 2, column 2 of html"},
		"missing, subject":   {handlebars.Source{Subject: "Hé {{none}}"}, "line 1, column 4 of subject"},
		"missing, layout":    {laid("a\n{{none}}", markup("x")), "line 2, column 1 of html in the layout"},
		"missing, partial":   {markup("{{> a}}", "a", "a\n{{#each a}}{{none}}{{/each}}"), "line 2, column 12 of html in a"},
		"a list to show":     {markup("\n{{a}}"), "line 2, column 1 of html"},
		"no list":            {markup("\n{{#each long}}{{/each}}"), "line 2, column 1 of html"},
		"an object to show":  {markup("\n{{this}}"), "line 2, column 1 of html"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.source.Body == (handlebars.Part{}) {
				c.source.Body.Text = "x"
			}
			compiled, err := handlebars.Compile(c.source)
			if err != nil {
				t.Fatal(err)
			}
			_, err = compiled.Render(t.Context(), much(2_000))
			if place := placeOf(err); place != c.place || !strings.HasSuffix(err.Error(), "("+c.place+")") {
				t.Errorf("error %v at %s, want %s", err, place, c.place)
			}
		})
	}
}

// placeOf is the place that an error of a rendering tells.
func placeOf(err error) string {
	var value *handlebars.ValueError
	var limit *handlebars.LimitError
	switch {
	case errors.As(err, &value):
		return value.String()
	case errors.As(err, &limit):
		return limit.String()
	}
	return ""
}
