package inlinecss

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestApply(t *testing.T) {
	for name, c := range map[string]struct{ css, body, want string }{
		"an element":          {"p{color:red}", "<p>a</p>", `<p style="color:red">a</p>`},
		"a class":             {".a{color:red}", `<p class="b a">a</p><p>b</p>`, `<p class="b a" style="color:red">a</p><p>b</p>`},
		"an id":               {"#x{color:red}", `<p id=x>a`, `<p id="x" style="color:red">a`},
		"both of a list":      {"h1, .a{color:red}", `<h1>a</h1><b class=a>b</b>`, `<h1 style="color:red">a</h1><b class="a" style="color:red">b</b>`},
		"within":              {"td p{color:red}", "<p>a</p><table><tr><td><b><p>b</p></b></td></tr></table>", `<p>a</p><table><tr><td><b><p style="color:red">b</p></b></td></tr></table>`},
		"directly within":     {"td > b{color:red}", "<td><b>a</b><i><b>b</b></i></td>", `<td><b style="color:red">a</b><i><b>b</b></i></td>`},
		"within, by a way":    {"div > i b{color:red}", "<div><i><i><b>a</b></i></i></div>", `<div><i><i><b style="color:red">a</b></i></i></div>`},
		"the stronger wins":   {"#x{color:1}.a{color:2}p{color:3}", `<p id=x class=a>`, `<p id="x" class="a" style="color:1">`},
		"the later wins":      {"p{color:1;margin:0}p{color:2}", "<p>", `<p style="margin:0;color:2">`},
		"its own wins":        {"p{color:1;margin:0}", `<p style="color: 2">`, `<p style="margin:0;color:2">`},
		"important wins":      {"p{color:1 ! important}", `<p style="color:2;margin:0">`, `<p style="margin:0;color:1">`},
		"letters that grow":   {"p{a:ȺİȺİȺİȺİȺİȺİ!ImportanT}", `<p style="a:b">`, `<p style="a:ȺİȺİȺİȺİȺİȺİ">`},
		"important alone":     {"p{a:important;b:!important}", `<p>`, `<p style="a:important">`},
		"an unclosed cell":    {"tr td{color:red}td td{color:blue}", "<table><tr><td>a<td>b<tr><td>c</table>", `<table><tr><td style="color:red">a<td style="color:red">b<tr><td style="color:red">c</table>`},
		"an unclosed line":    {"p p{color:red}", "<p>a<p>b", "<p>a<p>b"},
		"a list in a list":    {"ol ol li{color:red}", "<ol><li>a<ol><li>b<li>c</ol></ol>", `<ol><li>a<ol><li style="color:red">b<li style="color:red">c</ol></ol>`},
		"a void element":      {"img{border:0}", "<img src=a><br>", `<img src="a" style="border:0"><br>`},
		"closed by itself":    {"img{border:0}", "<img src=a />", `<img src="a" style="border:0"/>`},
		"at-rules stay":       {"@media (x){p{color:red}} @import url(a;b); @font-face{a:b}p{margin:0}", "<p>", `<p style="margin:0">`},
		"what cannot":         {"p:hover{color:1}p::before{a:b}a[href]{color:2}*{color:3}p+p{color:4}p~p{color:5}", "<p><a href=x>", "<p><a href=x>"},
		"comments":            {"/* p{color:1} */p{/*x*/color:/*{*/2}", "<p>", `<p style="color:2">`},
		"semicolons inside":   {`p{background:url("data:a;b,c")}`, "<p>", `<p style="background:url(&#34;data:a;b,c&#34;)">`},
		"quotes":              {`p{font-family:"A B",'C'}`, "<p>", `<p style="font-family:&#34;A B&#34;,&#39;C&#39;">`},
		"not closed":          {"p{color:red", "<p>", `<p style="color:red">`},
		"no rules":            {"p{}", "<P Title=x>", "<P Title=x>"},
		"broken declarations": {"p{color;:red;co lor:1;margin:0;x:}", "<p>", `<p style="margin:0">`},
		"Outlook":             {"p{margin:0}", "<!--[if mso]><p><![endif]--><p>", `<!--[if mso]><p><![endif]--><p style="margin:0">`},
		"values stay escaped": {"p{margin:0}", `<p title="&#34;&gt;&lt;script&gt;">&lt;b&gt;</p>`, `<p title="&#34;&gt;&lt;script&gt;" style="margin:0">&lt;b&gt;</p>`},
	} {
		t.Run(name, func(t *testing.T) {
			head := "<head><style>" + c.css + "</style></head>"
			got, err := Apply(head + c.body)
			if got = strings.TrimPrefix(got, head); err != nil || got != c.want {
				t.Errorf("got  %s %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestASheetForOneMediumIsNotInlined(t *testing.T) {
	for _, s := range []string{"<style media=print>p{color:red}</style><p>", "<!-- <style>p{color:red}</style> --><p>", "<p>p{color:red}</p>"} {
		if got, err := Apply(s); err != nil || got != s {
			t.Errorf("%q became %q %v", s, got, err)
		}
	}
	if got, _ := Apply("<style media=all>p{margin:0}</style><p>"); !strings.HasSuffix(got, `<p style="margin:0">`) {
		t.Error(got)
	}
}

func TestWhatIsTooMuchIsRefused(t *testing.T) {
	for name, s := range map[string]string{
		"rules":        "<style>" + strings.Repeat("a{b:c}", 2_000) + "</style><p>",
		"work":         "<style>" + strings.Repeat("a{b:c}", 1_000) + "</style>" + strings.Repeat("<p>", 100_000),
		"deep":         "<style>" + strings.Repeat("i i i i i b{b:c}", 1_000) + "</style>" + strings.Repeat("<i>", 50_000) + strings.Repeat("<b></b>", 50_000),
		"classes":      "<style>" + strings.Repeat(".b p{b:c}", 1_000) + "</style><div class='" + strings.Repeat("a ", 200_000) + "'>" + strings.Repeat("<p></p>", 4_000),
		"output":       "<style>p{a:" + strings.Repeat("x", 100_000) + "}</style>" + strings.Repeat("<p>", 100),
		"declarations": "<style>p{" + strings.Repeat("a:b;", 20_000) + "}</style>" + strings.Repeat("<p>", 1_000),
	} {
		start := time.Now()
		_, err := Apply(s)
		var limit *LimitError
		if !errors.As(err, &limit) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second { // wide, for a busy machine
			t.Errorf("%s: took %v", name, took)
		}
	}
	for name, s := range map[string]string{
		"braces": "<style>" + strings.Repeat("{", 500_000), "slashes": "<style>" + strings.Repeat("/*", 250_000), "quotes": "<style>" + strings.Repeat("p{a:'", 100_000),
		"at": "<style>" + strings.Repeat("@a{", 150_000), "ends": strings.Repeat("<b>", 100_000) + strings.Repeat("</i>", 100_000) + "<style>b{c:d}</style>",
	} {
		start := time.Now()
		if _, err := Apply(s); err != nil && !errors.As(err, new(*LimitError)) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// elements are the tags of a text, with their attributes but style.
func elements(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			t := z.Token()
			b.WriteString(t.Type.String() + t.Data)
			for _, a := range t.Attr {
				if a.Key != "style" {
					b.WriteString("\x00" + a.Key + "\x01" + a.Val)
				}
			}
		case html.TextToken, html.CommentToken:
			b.WriteString("\x02" + z.Token().Data)
		}
	}
}

// FuzzApply: nothing of a text changes but styles.
func FuzzApply(f *testing.F) {
	for _, s := range []string{
		"<style>p{color:red}</style><p>a", `<style>.a > b, #c{margin:0 !important}</style><p class=a><b style="x:y" id=c>`, "<style>@media x{p{a:b}}p{c:d}</style><p/>",
		"<style>p{a:'</style><p title='\"'>", "<table><tr><td><style>td td{a:b}</style><td>", "<p ='x' \"=y>", "<style><!-- p{a:b} --></style><p style style='a'>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Apply(s)
		if err != nil {
			return
		}
		if a, b := elements(s), elements(got); a != b {
			t.Errorf("%q became %q\n%q\n%q", s, got, a, b)
		}
	})
}
