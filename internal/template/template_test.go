package template

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func TestPlainText(t *testing.T) {
	for name, c := range map[string]struct{ html, want string }{
		"words":        {"<p>Hello   <b>dear</b>\nreader</p>", "Hello dear reader"},
		"paragraphs":   {"<h1>Order</h1><p>one</p>\n<p>two<br>three</p>", "Order\n\none\n\ntwo\nthree"},
		"lists":        {"Things:<ul><li>tea</li><li><a href='https://e.org/c'>cup</a></li></ul>End", "Things:\n\n- tea\n- cup (https://e.org/c)\n\nEnd"},
		"links":        {`<a href="https://e.org">https://e.org</a> <a href="mailto:a@e.org">a@e.org</a> <a href="#top">up</a> <a href="https://e.org/i"><img></a>`, "https://e.org a@e.org up https://e.org/i"},
		"tables":       {"<table><tr><th>What</th><th>Price</th></tr><tr><td>Tea</td><td>2.50</td></tr></table>", "What Price\nTea 2.50"},
		"what is not":  {"<head><title>t</title><style>p{}</style></head><div style='display: none'>preview<div>more</div></div><script>x</script><!--[if mso]>y<![endif]-->shown", "shown"},
		"entities":     {"<p>&lt;b&gt; &amp; &#34;q&#34;</p>", `<b> & "q"`},
		"pictures":     {"<img alt='A logo'> Shop", "A logo Shop"},
		"lines":        {"a<hr>b<div>c</div><div>d</div>", "a\n---\nb\nc\nd"},
		"no end":       {"<div style='display:none'>x", ""},
		"blank inside": {"<b>a</b> <i>b</i>c", "a bc"},
	} {
		if got := plainText(c.html); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"<p>a<br>b</p>", "<a href='x'>y</a>", "<div style=display:none>x</div>y", "<table><tr><td>a<td>b", "<a><a href=x></a></a>", "&lt;p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := plainText(s); len(got) > 4*len(s)+16 || strings.TrimSpace(got) != got {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func TestLocales(t *testing.T) {
	for given, want := range map[string]string{
		"de": "de", "DE": "de", "de-at": "de-AT", "de_AT": "de-AT", "ZH-hant-tw": "zh-Hant-TW", "de-AT-1901": "de-AT-1901", "sr-Latn": "sr-Latn",
		"": "", "d": "", "german": "", "de-": "", "-de": "", "de--AT": "", "de AT": "", "de-ÄT": "", "1e": "", strings.Repeat("de-", 20) + "AT": "", "de-123456789": "",
	} {
		if got, ok := canonical(given); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", given, got, ok, want)
		}
	}
}

func TestTheCacheForgetsWhatWasNotUsed(t *testing.T) {
	c := newCache(3 * (1000 + overhead))
	key := func(n int) cacheKey { return cacheKey{tenant: 1, ref: message.TemplateRef{Version: n}} }
	for n := range 3 {
		c.put(key(n), &ready{size: 1000})
	}
	c.get(key(0))
	c.put(key(3), &ready{size: 1000})
	for n, kept := range map[int]bool{0: true, 1: false, 2: true, 3: true} {
		if got := c.get(key(n)) != nil; got != kept {
			t.Errorf("%d is kept: %v", n, got)
		}
	}
	if c.get(cacheKey{tenant: 2, ref: message.TemplateRef{Version: 3}}) != nil {
		t.Error("another tenant's")
	}
	c.put(key(4), &ready{size: 1 << 30})
	if c.get(key(4)) == nil || len(c.entries) != 1 {
		t.Errorf("%d entries after one that fills it", len(c.entries))
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 100 {
				k := cacheKey{tenant: int64(n), ref: message.TemplateRef{ID: uuid.Nil, Version: i % 7}}
				c.put(k, &ready{size: 100})
				c.get(k)
			}
		})
	}
	all.Wait()
	if cost := len(c.entries); cost != c.order.Len() {
		t.Errorf("%d entries, %d in order", cost, c.order.Len())
	}
}
