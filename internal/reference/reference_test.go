package reference_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/reference"
)

const documented = "../httpapi/openapi.json"

func thePage(t *testing.T) (html, policy string) {
	t.Helper()
	text, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	page, err := reference.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(page.HTML), page.Policy
}

func TestEveryLinkOfThePageLeadsSomewhere(t *testing.T) {
	html, _ := thePage(t)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("%s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1)
	for _, m := range links {
		if name, inside := strings.CutPrefix(m[1], "#"); inside && !ids[name] {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
	if len(ids) < 30 || len(links) < 60 {
		t.Errorf("only %d places and %d links", len(ids), len(links))
	}
}

func TestThePageLoadsNothing(t *testing.T) {
	html, policy := thePage(t)
	for _, m := range regexp.MustCompile(`(?i)<script|<img|<link|<iframe|@import|url\(|src=|href="[a-z]+:`).FindAllString(html, -1) {
		t.Errorf("the page has %s", m)
	}
	_, rest, _ := strings.Cut(html, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(policy, "'sha256-"+hash+"'") {
		t.Errorf("%q does not let the page's own style through", policy)
	}
}

// paper wraps a path, and schemas, into a document.
func paper(path, schemas string) []byte {
	return []byte(`{"openapi":"3.1.0","info":{"title":"T","version":"1"},"tags":[{"name":"a","description":"A"}],
		"paths":{"/x":` + path + `},"components":{"schemas":{` + schemas + `}}}`)
}

func TestThePageSaysWhatTheDocumentSays(t *testing.T) {
	page, err := reference.New(paper(`{"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string","maxLength":9}}],
		"patch":{"operationId":"o","summary":"Do <b>it</b>","tags":["a"],
		"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S"},"example":{"n":"it's"}}}},
		"responses":{"200":{"description":"Good."}}}}`,
		`"Base":{"type":"object","required":["z"],"properties":{"z":{"type":"integer","minimum":1,"maximum":7,"default":3}}},
		"S":{"allOf":[{"$ref":"#/components/schemas/Base"}],"properties":{"n":{"type":["string","null"]},"a":{"type":"array","maxItems":4,"items":{"enum":["p",2]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	html := string(page.HTML)
	for _, want := range []string{
		"Do &lt;b&gt;it&lt;/b&gt;", "string, at most 9 characters", "integer, 1 to 7; 3 if left out", "string or null", `list of &#34;p&#34;, 2, at most 4`,
		`<a href="#schema-S">S</a>`, `curl -X PATCH $URL/x`, `it&#39;\&#39;&#39;s`, "Good.",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if z, n := strings.LastIndex(html, "<code>z</code>"), strings.LastIndex(html, "<code>n</code>"); z < 0 || z > n || n > strings.LastIndex(html, "<code>a</code>") {
		t.Error("the fields are not in the order they are written in")
	}
}

func TestRefusalsThatSayTheSameShareARow(t *testing.T) {
	html, _ := thePage(t)
	_, rest, _ := strings.Cut(html, `<section id="sendEmail">`)
	one, _, _ := strings.Cut(rest, "</section>")
	if n := strings.Count(one, "Refused"); n != 1 || !strings.Contains(one, "<code>400 401 403 408 409 413 415 422 429 500 503</code>") {
		t.Errorf("refusals stand in %d rows:\n%s", n, one)
	}
}

func TestThePageSaysWhatItsVariablesAre(t *testing.T) {
	html, _ := thePage(t)
	intro, _, _ := strings.Cut(html, "<section")
	for _, name := range []string{"$URL", "$KEY"} {
		if !strings.Contains(intro, "<code>"+name+"</code>") {
			t.Errorf("the beginning of the page does not tell %s", name)
		}
	}
}

func TestADocumentThatIsNotWholeMakesNoPage(t *testing.T) {
	for name, text := range map[string][]byte{
		"no JSON":           []byte("{"),
		"unknown tag":       paper(`{"get":{"tags":["b"],"responses":{}}}`, ""),
		"unknown parameter": paper(`{"get":{"tags":["a"],"parameters":[{"$ref":"#/components/parameters/P"}],"responses":{}}}`, ""),
		"unknown answer":    paper(`{"get":{"tags":["a"],"responses":{"200":{"$ref":"#/components/responses/R"}}}}`, ""),
	} {
		if page, err := reference.New(text); err == nil {
			t.Errorf("%s: got a page of %d bytes", name, len(page.HTML))
		}
	}
}

func TestSchemasInACircleEnd(t *testing.T) {
	if _, err := reference.New(paper(`{"get":{"tags":["a"],"responses":{}}}`, `"A":{"allOf":[{"$ref":"#/components/schemas/A"}]}`)); err != nil {
		t.Error(err)
	}
}
