package handlebars_test

import (
	"testing"

	"github.com/postrider/postrider/internal/handlebars"
)

// TestWhatMailsAreMadeOfIsTaken: constructions near to those that are refused, which
// read one way only.
func TestWhatMailsAreMadeOfIsTaken(t *testing.T) {
	const values = `{"a":"1 x=\"2\"","url":"https://e.org/?a=b","js":"javascript:alert(1)","no":"","l":["x","y"],"none":[]}`
	for text, want := range map[string]string{
		`<a {{#if a}}class="b"{{/if}} href="{{url}}">`:                                                     `<a class="b" href="https://e.org/?a=b">`,
		`<a {{#if a}}class="b" {{/if}}href="{{js}}">`:                                                      `<a class="b" href="#ZgotmplZ">`,
		`<a href="{{url}}#a:b" data-a="{{a}}: b"><a href="tel:{{no}}:1"><img src="{{url}}/a:b">`:           `<a href="https://e.org/?a=b#a:b" data-a="1 x=&#34;2&#34;: b"><a href="tel::1"><img src="https://e.org/?a=b/a:b">`,
		`<a{{#if a}} class="b"{{/if}} href="{{js}}">`:                                                      `<a class="b" href="#ZgotmplZ">`,
		`<input {{#if a}}checked{{/if}} value="{{a}}">`:                                                    `<input checked value="1 x=&#34;2&#34;">`,
		`<input {{#each l}}checked {{/each}}>`:                                                             `<input checked checked >`,
		`<td {{#unless no}}colspan{{else}}rowspan{{/unless}}="2">`:                                         `<td colspan="2">`,
		`<a {{! the address }}hr{{! of it }}ef="{{js}}">`:                                                  `<a href="#ZgotmplZ">`,
		`<p class={{#if no}}x{{else}}{{a}}{{/if}} id={{a}}>`:                                               `<p class=1&#32;x&#61;&#34;2&#34; id=1&#32;x&#61;&#34;2&#34;>`,
		`<p {{#each l}}data-{{/each}}>`:                                                                    `<p data-data->`,
		`<p{{#each l}} title="{{this}}"{{/each}}>`:                                                         `<p title="x" title="y">`,
		`<br/><img src="{{url}}"/><hr / >`:                                                                 `<br/><img src="https://e.org/?a=b"/><hr / >`,
		`<t{{#if a}}h{{else}}d{{/if}} title="{{a}}">{{a}}</t{{#if a}}h{{else}}d{{/if}}>`:                   `<th title="1 x=&#34;2&#34;">1 x=&#34;2&#34;</th>`,
		`<style><!-- p > b { color: red } --></style>`:                                                     `<style><!-- p > b { color: red } --></style>`,
		`<style>@media (400px <= width){}</style>`:                                                         `<style>@media (400px <= width){}</style>`,
		`<style>/* {{#if a}}a < b=c{{/if}} */ p{}</style>`:                                                 `<style>    p{}</style>`,
		`<svg><title>{{a}}</title></svg>`:                                                                  `<svg><title>1 x=&#34;2&#34;</title></svg>`,
		`<title>a<b {{a}}</title>`:                                                                         `<title>a&lt;b 1 x=&#34;2&#34;</title>`,
		`<svg></svg><script type="application/ld+json">["1 < 2 <3"]</script>`:                              `<svg></svg><script type="application/ld+json">["1 < 2 <3"]</script>`,
		`<script>for(i=0;i<a.length;){}</script>`:                                                          `<script>for(i=0;i<a.length;){}</script>`,
		`<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/a"><p>{{a}}`: `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/a"><p>1 x=&#34;2&#34;`,
		`<script type="application/ld+json">{"name":{{a}}}</script>`:                                       `<script type="application/ld+json">{"name":"1 x=\"2\""}</script>`,
		`<input type="{{no}}x">`:                                                                           `<input type="x">`,
		`<!--[if mso]><noscript><xml><o:PixelsPerInch>96</o:PixelsPerInch></xml></noscript><![endif]-->`:   `<!--[if mso]><noscript><xml><o:PixelsPerInch>96</o:PixelsPerInch></xml></noscript><![endif]-->`,
		`<!--[if mso]><a title="Read more > {{a}}"><![endif]--><b title="-->">`:                            `<!--[if mso]><a title="Read more > 1 x=&#34;2&#34;"><![endif]--><b title="-->">`,
		`<!-- <a=b c{{#if a}}=d{{/if}} -->{{a}}`:                                                           `1 x=&#34;2&#34;`,
		`1 < 2 <3 {{a}} <{{a}}`:                                                                            `1 &lt; 2 &lt;3 1 x=&#34;2&#34; &lt;1 x=&#34;2&#34;`,
	} {
		out, err := render(t, handlebars.Source{Body: handlebars.Part{HTML: text}}, values)
		if err != nil || out.HTML != want {
			t.Errorf("%s\ngot  %q %v\nwant %q", text, out.HTML, err, want)
		}
	}
}

// TestConditionalCommentsOfAllKindsAreKept: what of them is lost hides what stands between
// them, or shows it to the wrong program.
func TestConditionalCommentsOfAllKindsAreKept(t *testing.T) {
	for _, text := range []string{
		`<!--[if mso]><b>x</b><![endif]--><p>y</p>`,
		`<!--[if (gte mso 9)|(IE)]><b>x</b><![endif]--><p>y</p>`,
		`<!--[if !mso]><!--><b>x</b><!--<![endif]--><p>y</p>`,
		`<!--[if !mso]><!-- --><b>x</b><!--<![endif]--><p>y</p>`,
		`<!--[if !gte mso 9]><!----><b>x</b><!--<![endif]--><p>y</p>`,
		"<!--[if !mso]>\n<!--><b>x</b><!--<![endif]--><p>y</p>",
		`<!--[if !mso]><!--><b>x</b><!-- <![endif]--><p>y</p>`,
		`<!--[if !mso]>--><b>x</b><!--<![endif]--><p>y</p>`,
		`<!--[if !mso]><!-- for all others --><b>x</b><!-- <![endif] --><p>y</p>`,
		`<!--[if !mso]> <!--//--><b>x</b><!--<![endif]--><p>y</p>`,
		`<!--[if(gte mso 9)|(IE)]><b>x</b><![endif] --><p>y</p>`,
		`<!--[IF mso]><b>x</b><![ENDIF]--><p>y</p>`,
		`<![if !mso]><b>x</b><![endif]><p>y</p>`,
		`<p style="mso-list:l0 level1 lfo1"><!--[if !supportLists]--><b>x</b><!--[endif]-->y</p>`,
		`<?xml version="1.0" encoding="UTF-8"?><p>y</p>`,
		`<p>y</p><?xml:namespace prefix = o ns = "urn:schemas-microsoft-com:office:office" />`,
	} {
		out, err := render(t, handlebars.Source{Body: handlebars.Part{HTML: text + "{{a}}"}}, `{"a":"z"}`)
		if err != nil || out.HTML != text+"z" {
			t.Errorf("%s\ngot %q %v", text, out.HTML, err)
		}
	}
}

// TestAMarkWithinACommentIsPartOfIt: it does not end for html/template behind it.
func TestAMarkWithinACommentIsPartOfIt(t *testing.T) {
	for _, text := range []string{`<!-- [if mso]><b>x</b><![endif]-->`, `<!-- ends with <![endif]-->`, `<!-- as in <!--[if mso]> -->`} {
		out, err := render(t, handlebars.Source{Body: handlebars.Part{HTML: text + "<p>{{a}}</p>"}}, `{"a":"z"}`)
		if err != nil || out.HTML != "<p>z</p>" {
			t.Errorf("%s\ngot %q %v", text, out.HTML, err)
		}
	}
}
