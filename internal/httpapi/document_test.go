package httpapi_test

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the OpenAPI description, which every answer in these tests is
// held against.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
}

const documentURL = "mem://openapi.json"

// theDocument reads openapi.json once for all tests.
var theDocument = sync.OnceValues(readDocument)

func readDocument() (*document, error) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(documentURL, parsed); err != nil {
		return nil, err
	}
	return &document{root: parsed.(map[string]any), compiler: c, schemas: map[string]*jsonschema.Schema{}}, nil
}

// check holds an answer against what the document says of its operation. What
// has no operation is answered by a problem.
func (d *document) check(t *testing.T, method, path string, status int, header http.Header, body []byte) {
	t.Helper()
	pointer, object := d.answer(method, path, status)
	if object == nil {
		if status < 400 {
			t.Errorf("%s %s: %d is not documented", method, path, status)
			return
		}
		pointer, object = "/components/responses/Problem", d.at("/components/responses/Problem")
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	if dig(object, "content", "*/*") != nil {
		return // a file
	}
	if dig(object, "content", media, "schema") == nil {
		t.Errorf("%s %s: %d with Content-Type %q is not documented", method, path, status, media)
		return
	}
	if !strings.HasSuffix(media, "json") || method == http.MethodHead {
		return
	}
	d.validate(t, pointer+"/content/"+escape(media)+"/schema", body)
}

// answer finds the response object for a request, and where it stands.
func (d *document) answer(method, path string, status int) (string, map[string]any) {
	method = strings.ToLower(method)
	if method == "head" {
		method = "get"
	}
	exact := dig(d.root, "paths", path) != nil
	for template := range dig(d.root, "paths") {
		if !matches(template, path) || exact && template != path {
			continue
		}
		pointer := "/paths/" + escape(template) + "/" + method + "/responses/" + strconv.Itoa(status)
		object := dig(d.root, "paths", template, method, "responses", strconv.Itoa(status))
		if ref, ok := object["$ref"].(string); ok {
			pointer = strings.TrimPrefix(ref, "#")
			object = d.at(pointer)
		}
		return pointer, object
	}
	return "", nil
}

func (d *document) at(pointer string) map[string]any {
	return dig(d.root, strings.Split(strings.TrimPrefix(pointer, "/"), "/")...)
}

func (d *document) validate(t *testing.T, pointer string, body []byte) {
	t.Helper()
	schema, err := d.schema(pointer)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%v: %.200s", err, body)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("not as documented: %v\n%.2000s", err, body)
	}
}

func (d *document) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(documentURL + "#" + pointer)
	d.schemas[pointer] = s
	return s, err
}

func escape(step string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(step)
}

func matches(template, path string) bool {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}

func dig(v map[string]any, steps ...string) map[string]any {
	for _, step := range steps {
		v, _ = v[step].(map[string]any)
	}
	return v
}

// operations lists the methods of each documented path.
func (d *document) operations() map[string][]string {
	all := map[string][]string{}
	for path, item := range dig(d.root, "paths") {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				all[path] = append(all[path], strings.ToUpper(method))
			}
		}
		slices.Sort(all[path])
	}
	return all
}

func TestEverySchemaOfTheDocumentCompiles(t *testing.T) {
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	for name := range dig(d.root, "components", "schemas") {
		if _, err := d.schema("/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheDocumentHasEveryRoute asks each documented path which methods it has.
func TestTheDocumentHasEveryRoute(t *testing.T) {
	w := newWorld(t)
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	all := d.operations()
	for path := range all {
		at := strings.ReplaceAll(path, "{id}", "x")
		var methods []string
		for template, more := range all { // what is not batch's own may still be that of an email of this name
			if matches(template, at) {
				methods = append(methods, more...)
			}
		}
		slices.Sort(methods)
		methods = slices.Compact(methods)
		a := w.do("TRACE", at, "")
		var allowed []string
		for method := range strings.SplitSeq(a.header.Get("Allow"), ", ") {
			if method != http.MethodHead {
				allowed = append(allowed, method)
			}
		}
		slices.Sort(allowed)
		if a.status != 405 || !slices.Equal(allowed, methods) {
			t.Errorf("%s: %d, allows %v, documented are %v", path, a.status, allowed, methods)
		}
	}
}
