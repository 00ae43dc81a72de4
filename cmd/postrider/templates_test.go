package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// templateServer knows one template, "order", and decodes what it is sent as the
// real one does.
func templateServer(t *testing.T) (edits *[]*message.TemplateEdit, calls *[]string) {
	t.Helper()
	edits, calls = &[]*message.TemplateEdit{}, &[]string{}
	shown := &message.Template{
		ID: uuid.MustParse(testID), Name: "Order", Alias: "order", Kind: message.TemplateEmail, Published: 1,
		Current: message.TemplateVersion{Number: 2, Body: message.TemplateBody{
			From: "a@example.com", TemplateText: message.TemplateText{Subject: "Order \x1b[2J", HTML: "<p>{{NAME}}</p>", Text: "{{NAME}}"},
			Variables: []message.Variable{{Key: "NAME", Type: message.VariableString}}, Layout: "frame",
			Locales: map[string]message.TemplateText{"de": {Text: "x"}},
		}},
	}
	edit := func(w http.ResponseWriter, r *http.Request) {
		e, err := wire.DecodeTemplate(r.Body)
		if err != nil {
			refusal(w, http.StatusUnprocessableEntity, message.CodeValidation)
			return
		}
		*edits = append(*edits, e)
		answer(w, http.StatusOK, wire.TemplateReceipt{Object: "template", ID: testID})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/templates", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, wire.NewTemplateList(&message.TemplatePage{Templates: []message.Template{*shown}, HasMore: true}))
	})
	mux.HandleFunc("GET /v1/templates/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "order" {
			refusal(w, http.StatusNotFound, "not_found")
			return
		}
		answer(w, http.StatusOK, wire.NewTemplate(shown))
	})
	mux.HandleFunc("POST /v1/templates", edit)
	mux.HandleFunc("PATCH /v1/templates/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "order" {
			refusal(w, http.StatusNotFound, "not_found")
			return
		}
		edit(w, r)
	})
	mux.HandleFunc("POST /v1/templates/{id}/publish", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "broken" {
			refusal(w, http.StatusUnprocessableEntity, message.CodeValidation, message.FieldError{Pointer: "/html", Code: message.CodeInvalidTemplate, Detail: "line 2, column 7 of html in foot: this tag is empty"})
			return
		}
		answer(w, http.StatusOK, wire.TemplateReceipt{Object: "template", ID: testID})
	})
	mux.HandleFunc("POST /v1/templates/order/render", func(w http.ResponseWriter, r *http.Request) {
		trial, err := wire.DecodeTrial(r.Body)
		if err != nil {
			refusal(w, http.StatusUnprocessableEntity, message.CodeValidation)
			return
		}
		text, _ := json.Marshal(trial)
		answer(w, http.StatusOK, wire.NewRenderedTemplate(&message.Rendered{TemplateText: message.TemplateText{Subject: "S", HTML: "<p>\x1b", Text: string(text)}}))
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*calls = append(*calls, r.Method+" "+r.RequestURI)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv("POSTRIDER_URL", s.URL)
	t.Setenv("POSTRIDER_API_KEY", testKey)
	return edits, calls
}

func TestTemplatesAreListedAndShown(t *testing.T) {
	_, calls := templateServer(t)
	o := tool(t, "", "templates", "list", "--limit", "1", "--after", testID)
	o.expect(t, exitDone, "--after "+testID)
	golden(t, "templates-list", o.out)
	if (*calls)[0] != "GET /v1/templates?after="+testID+"&limit=1" {
		t.Error(*calls)
	}
	o = tool(t, "", "templates", "show", "order")
	o.expect(t, exitDone)
	golden(t, "templates-show", o.out)
	tool(t, "", "templates", "show", "order", "--json").expect(t, exitDone, `"published_version": 1`)
	tool(t, "", "templates", "list", "--json").expect(t, exitDone, `"has_more": true`)
	tool(t, "", "templates", "show", "nobody").expect(t, exitFailed, "404")
}

func TestATemplateIsPushedFromFiles(t *testing.T) {
	edits, calls := templateServer(t)
	dir := t.TempDir()
	html := filepath.Join(dir, "order.html")
	if err := os.WriteFile(html, []byte("<p>\n{{NAME}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, `{"alias":"order","name":"Order"}`, "templates", "push", "-", "--html", html, "--publish").expect(t, exitDone, testID+" changed and published")
	if e := (*edits)[0]; *e.HTML != "<p>\n{{NAME}}" || *e.Name != "Order" || e.Text != nil {
		t.Errorf("%+v", e)
	}
	tool(t, `{"alias":"new","name":"New","text":"x"}`, "templates", "push", "-").expect(t, exitDone, testID+" made")
	want := "PATCH /v1/templates/order, POST /v1/templates/" + testID + "/publish, PATCH /v1/templates/new, POST /v1/templates"
	if got := strings.Join(*calls, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	tool(t, `{"name":"x"}`, "templates", "push", "-").expect(t, exitUsage, "no alias")
	tool(t, `[]`, "templates", "push", "-").expect(t, exitUsage, "JSON object")
	tool(t, `{"alias":"order","html":7}`, "templates", "push", "-").expect(t, exitFailed, "422")
	tool(t, "", "templates", "push", filepath.Join(dir, "none.json")).expect(t, exitUsage, "none.json")
	tool(t, `{"alias":"order"}`, "templates", "push", "-", "--text", file(t, "latin.txt", "Gr\xfc\xdfe")).expect(t, exitUsage, "latin.txt", "UTF-8")
}

func TestTemplatesArePublishedInOrder(t *testing.T) {
	templateServer(t)
	tool(t, "", "templates", "publish", "foot", "order").expect(t, exitDone, "foot published\norder published")
	tool(t, "", "templates", "publish", "foot", "broken", "order").expect(t, exitFailed, "foot published", "broken: ", "/html", "line 2, column 7 of html in foot: this tag is empty")
}

func TestATemplateIsTried(t *testing.T) {
	templateServer(t)
	file := filepath.Join(t.TempDir(), "values.json")
	if err := os.WriteFile(file, []byte(`{"N":1.50,"NAME":"file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "", "templates", "render", "order", "-v", "NAME=Ann", "--variables", file, "--locale", "de", "--published").expect(t, exitDone,
		"SUBJECT\nS", "HTML\n<p>�", `"Published":true`, `"Locale":"de"`, `"N":1.50`, `"NAME":"Ann"`)
	tool(t, "", "templates", "render", "order", "-v", "NAME=Ann;N=2", "-v", "B=x;y").expect(t, exitDone, `"NAME":"Ann;N=2"`, `"B":"x;y"`)
	if o := tool(t, "", "templates", "render", "order", "--only", "html"); o.out != "<p>\x1b" {
		t.Errorf("%q", o.out)
	}
	tool(t, "", "templates", "render", "order", "--json").expect(t, exitDone, `"object": "rendered_template"`)
	tool(t, "", "templates", "render", "order", "--variables", "-").expect(t, exitUsage, "JSON object")
}
