package handlebars_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/handlebars"
)

// much is a list of n elements.
func much(n int) map[string]any {
	list := make([]any, n)
	for i := range list {
		list[i] = "x"
	}
	return map[string]any{"a": list, "long": strings.Repeat("y", 200_000), "odd": strings.Repeat("javascript", 20_000) + ":"}
}

// fan is partials of which each includes the next n times.
func fan(n int, before, after, last string) map[string]handlebars.Part {
	partials := map[string]handlebars.Part{}
	for i := range 7 {
		partials[fmt.Sprint("p", i)] = handlebars.Part{HTML: before + strings.Repeat(fmt.Sprintf("{{> p%d}}", i+1), n) + after}
	}
	partials["p7"] = handlebars.Part{HTML: last}
	return partials
}

// Row 54 of the bad input: what would run long, or write much, is broken off.
func TestWhatCostsTooMuchIsBrokenOff(t *testing.T) {
	loops := strings.Repeat("{{#each @root.a}}", 4)
	ends := strings.Repeat("{{/each}}", 4)
	for name, html := range map[string]string{
		"loops that write":          loops + "x" + ends,
		"loops that write nothing":  loops + ends,
		"loops with conditions":     loops + "{{#if @root.none}}x{{/if}}" + ends,
		"loops that show":           loops + "{{this}}" + ends,
		"long values":               "{{#each a}}{{@root.long}}{{/each}}",
		"long values, filtered":     "{{#each a}}<a href='{{@root.odd}}'></a>{{/each}}",
		"long values in style":      "<style>{{#each a}}p{color:{{@root.long}}}{{/each}}</style>",
		"includes that multiply":    loops + "{{> p0}}" + ends,
		"conditional comments":      loops + "<!--[if mso]><![endif]-->" + ends,
		"a long text many times":    "{{#each a}}" + strings.Repeat("x", 10_000) + "{{/each}}",
		"long texts in each branch": "{{#each a}}{{#if @first}}" + strings.Repeat("x", 100_000) + "{{else}}" + strings.Repeat("y", 100_000) + "{{/if}}{{/each}}",
	} {
		t.Run(name, func(t *testing.T) {
			compiled, err := handlebars.Compile(handlebars.Source{Body: handlebars.Part{HTML: html}, Partials: fan(3, "", "", " ")})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = compiled.Render(context.Background(), much(5_000))
			var limit *handlebars.LimitError
			if !errors.As(err, &limit) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start); took > 10*time.Second { // wide, for a busy machine
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestWhatAMailNeedsIsNotBrokenOff(t *testing.T) {
	compiled, err := handlebars.Compile(handlebars.Source{Body: handlebars.Part{
		HTML: "<table>{{#each a}}<tr class='{{#if @first}}one{{/if}}'><td>{{@index}}</td><td>{{this}}</td></tr>{{/each}}</table>",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compiled.Render(t.Context(), much(1_000)); err != nil {
		t.Error(err)
	}
}

// Sources that cost much to compile: html/template goes through a loop twice.
func TestCompilingIsBounded(t *testing.T) {
	loops, ends := strings.Repeat("{{#each a}}", 4), strings.Repeat("{{/each}}", 4)
	big := strings.Repeat("<a title='{{b}}'>{{c}}</a>", 3_000)
	everywhere := "{{> p0}}<i title='{{> p0}}' style='{{> p0}}' class={{> p0}}></i><style>{{> p0}}</style>"
	once, twice := "{{#each a}}", "{{/each}}"
	for name, s := range map[string]handlebars.Source{
		"loops around much":   {Body: handlebars.Part{HTML: loops + big + ends}},
		"includes in loops":   {Body: handlebars.Part{HTML: everywhere}, Partials: fan(1, once, twice, "{{b}}")},
		"many includes":       {Body: handlebars.Part{HTML: everywhere}, Partials: fan(4, "", "", "{{b}}")},
		"too many includes":   {Body: handlebars.Part{HTML: everywhere}, Partials: fan(10, "", "", "{{b}}")},
		"includes that fail":  {Body: handlebars.Part{HTML: everywhere}, Partials: fan(4, "<i title='", "'>", "'<")},
		"loops that fail":     {Body: handlebars.Part{HTML: everywhere}, Partials: fan(1, once+"<i title='", "'></i>"+twice, "'></i>")},
		"branches in loops":   {Body: handlebars.Part{HTML: loops + strings.Repeat("{{#if a}}", 28) + "x" + strings.Repeat("{{/if}}", 28) + ends}},
		"a fault behind much": {Body: handlebars.Part{HTML: loops + strings.Repeat("<p>x</p>\n", 50_000) + "<a b=c\"d>" + ends}},
		"a fault behind many": {Body: handlebars.Part{HTML: strings.Repeat("<p>{{x}}\n", 19_000/2) + "<a b=c\"d>"}},
		"tags without ends":   {Body: handlebars.Part{HTML: strings.Repeat("<a ", 170_000)}},
		"braces without end":  {Body: handlebars.Part{HTML: strings.Repeat("{", 500_000)}},
		"comments not ended":  {Body: handlebars.Part{HTML: strings.Repeat("<!--[if ", 60_000)}},
		"escaped braces":      {Body: handlebars.Part{HTML: strings.Repeat(`\{{`, 24_000)}},
		"signs of no tag":     {Body: handlebars.Part{HTML: strings.Repeat("< ", 250_000)}},
		"such signs, slowly":  {Body: handlebars.Part{HTML: loops + strings.Repeat("< ", 5_000) + ends}},
		"ends of no tag":      {Body: handlebars.Part{HTML: strings.Repeat("</3", 160_000)}},
		"signs in an include": {Body: handlebars.Part{HTML: "<title>{{> a}}</title>"}, Partials: markup("", "a", strings.Repeat("</", 250_000)).Partials},
		"escapes in a style":  {Body: handlebars.Part{HTML: "<style>p{a:'" + strings.Repeat("\\a", 200_000) + "'}</style>"}},
		"quotes in a style":   {Body: handlebars.Part{HTML: "<style>p{a:" + strings.Repeat("''", 250_000) + "}</style>"}},
		"metas":               {Body: handlebars.Part{HTML: loops + strings.Repeat("<meta content='a'>", 25_000) + ends}},
		"ways through tags":   {Body: handlebars.Part{HTML: "{{#if a}}<xmp>{{else if b}}<iframe>{{else if c}}<noembed>{{/if}}" + loops + strings.Repeat("<b>", 170_000) + ends}},
		"signs in a title":    {Body: handlebars.Part{HTML: "<title>" + strings.Repeat("</a", 170_000) + "</title>"}},
		"ends in a script":    {Body: handlebars.Part{HTML: "<script>" + strings.Repeat("</a", 170_000) + "</script>"}},
		"ends in a string":    {Body: handlebars.Part{HTML: "<script>x='" + strings.Repeat("</a", 170_000) + "'</script>"}},
		"ends behind a tag":   {Body: handlebars.Part{HTML: "<meta " + strings.Repeat("a ", 100_000) + ">" + strings.Repeat("</a>", 50_000)}},
		"signs in a style":    {Body: handlebars.Part{HTML: "<style>" + strings.Repeat("()", 250_000) + "</style>"}},
		"strings in strings":  {Body: handlebars.Part{HTML: "<script>" + strings.Repeat("`${", 50_000) + strings.Repeat(" {{#if a}}{{/if}}", 12_000) + strings.Repeat("}`", 50_000) + "</script>"}},
		"a script unended":    {Body: handlebars.Part{HTML: "<script>x='</script>'; " + strings.Repeat("</a", 150_000) + "</script>"}},
		"unended elsewhere":   {Body: handlebars.Part{HTML: "<script>// </script>{{x}}\n" + strings.Repeat("</a", 150_000) + "</script>"}},
		"tags in pieces":      {Body: handlebars.Part{HTML: strings.Repeat("<a>{{!}}", 50_000)}},
		"text in pieces":      {Body: handlebars.Part{HTML: strings.Repeat("abcdefghijklmno{{!}}", 25_000)}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := handlebars.Compile(s)
			var refused *handlebars.Error
			if err != nil && !errors.As(err, &refused) {
				t.Error(err)
			}
			took := time.Since(start)
			t.Logf("took %v: %v", took, err)
			if took > 20*time.Second { // wide, for a busy machine
				t.Errorf("took %v", took)
			}
		})
	}
}

// What newsletters have of all that costs much is taken.
func TestALongNewsletterCompiles(t *testing.T) {
	style := "<style>" + strings.Repeat("@media (max-width: 600px) { .a > b:hover { background: url('x.png') } }\n", 800) + "</style>"
	page := strings.Repeat("<tr><td class=\"x\" style=\"font-family:'A'\"><a href=\"https://e.org/?a=b\">x</a></td></tr>\n", 4_500)
	few := strings.Repeat("1 < 2\n", 1_000)
	icons := "<style>" + strings.Repeat(".i::before { content: \"\\f101\" }\n", 700) + "</style>"
	script := `<script type="application/ld+json">{"@context": "http://schema.org", "name": "{{a}}"}</script>`
	tracker := `<script>window.x = window.x || []; x.push('a');</script>`
	for _, body := range []string{script + few + page, page + tracker + page[:len(page)/8]} {
		if _, err := handlebars.Compile(handlebars.Source{Body: handlebars.Part{HTML: "<title>a</title>" + style + icons + "<table>" + body + "</table>"}}); err != nil {
			t.Error(err)
		}
	}
}

// Who wants more partials than there may be is not looked up for all of them.
func TestIncludesAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&b, "{{> p%d}}", i)
	}
	names, err := handlebars.Includes(handlebars.Part{HTML: b.String(), Text: b.String()})
	if err != nil || len(names) != 51 {
		t.Errorf("%d names, %v", len(names), err)
	}
}
