package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestTheReferenceShowsEveryOperation(t *testing.T) {
	w := newWorld(t)
	a := w.do("GET", "/docs", "", "Authorization", "-")
	a.want(t, 200, "")
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-") {
		t.Errorf("the page's style is not let through: %q", policy)
	}
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.operations() {
		for _, method := range methods {
			id, _ := dig(d.root, "paths", path, strings.ToLower(method))["operationId"].(string)
			if id == "" || !strings.Contains(string(a.body), `id="`+id+`"`) {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
}

// TestTheExamplesOfTheDocumentWork sends the example of every body.
func TestTheExamplesOfTheDocumentWork(t *testing.T) {
	w := newWorld(t)
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for path, methods := range d.operations() {
		for _, method := range methods {
			example, ok := dig(d.root, "paths", path, strings.ToLower(method), "requestBody", "content", "application/json")["example"]
			if !ok {
				continue
			}
			body, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			id := w.post()
			if strings.HasPrefix(path, "/v1/templates/") {
				id = w.stencil(map[string]any{"html": "{{NUMBER}}"})
			}
			a := w.do(method, strings.ReplaceAll(path, "{id}", id), inTime(string(body)))
			if a.status >= http.StatusMultipleChoices {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			sent++
		}
	}
	if sent < 2 {
		t.Errorf("only %d examples were found", sent)
	}
}
