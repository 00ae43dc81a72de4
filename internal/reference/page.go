package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

// Page is the reference in one file. Safe for concurrent use.
type Page struct {
	HTML []byte
	// Policy is the Content-Security-Policy under which the page works: its own
	// style and nothing else.
	Policy string
}

// New makes the page of an OpenAPI 3.1 document. It fails when the document
// cannot be read, or refers to what it does not hold.
func New(text []byte) (*Page, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	view, err := newView(&d)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("read the page's template: %w", err)
	}
	view.Style = template.CSS(style) //nolint:gosec // our own file
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	sum := sha256.Sum256([]byte(style))
	return &Page{
		HTML:   b.Bytes(),
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'",
	}, nil
}

// view is what the template shows.
type view struct {
	Title, Summary, Description, Version string

	Style   template.CSS
	Groups  []group
	Schemas []shape
}

// group is the operations of one tag.
type group struct {
	Name, Description string
	Operations        []call
}

// call is one operation.
type call struct {
	ID, Method, Path, Summary, Description string

	NeedsKey   bool
	Parameters []field
	Body       []word // nil: none
	Media      string // of the body
	Example    string // a line for a shell; "": none is given
	Answers    []answer
}

// field is a parameter, or a member of an object.
type field struct {
	Name, In, Description string

	Required bool
	Kind     []word
}

type answer struct {
	Status, Description string
	Kind                []word // nil: no body of a kind
}

// shape is a schema with a name.
type shape struct {
	Name, Anchor, Description string

	Kind   []word // nil: an object, told by its fields
	Fields []field
}

func newView(d *document) (*view, error) {
	v := &view{Title: d.Info.Title, Summary: d.Info.Summary, Description: d.Info.Description, Version: d.Info.Version}
	groups := map[string]*group{}
	for _, t := range d.Tags {
		groups[t.Name] = &group{Name: t.Name, Description: t.Description}
	}
	for _, path := range d.Paths {
		for _, o := range path.Value.Operations {
			c, err := d.call(path.Name, path.Value, o)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", o.Name, path.Name, err)
			}
			g := groups[strings.Join(o.Value.Tags, ",")]
			if g == nil {
				return nil, fmt.Errorf("%s %s: has no tag that the document describes", o.Name, path.Name)
			}
			g.Operations = append(g.Operations, c)
		}
	}
	for _, t := range d.Tags {
		v.Groups = append(v.Groups, *groups[t.Name])
	}
	for _, s := range d.Components.Schemas {
		v.Schemas = append(v.Schemas, d.shape(s.Name, s.Value))
	}
	return v, nil
}

func (d *document) call(path string, item *pathItem, o named[*operation]) (call, error) {
	op := o.Value
	c := call{
		ID: op.ID, Method: strings.ToUpper(o.Name), Path: path, Summary: op.Summary, Description: op.Description,
		NeedsKey: op.Security == nil || len(*op.Security) > 0,
	}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		if p.Ref != "" {
			ref := p.Ref
			if p = d.Components.Parameters.get(refName(ref)); p == nil {
				return c, fmt.Errorf("there is no %s", ref)
			}
		}
		c.Parameters = append(c.Parameters, field{
			Name: p.Name, In: p.In, Required: p.Required, Description: p.Description, Kind: kind(p.Schema),
		})
	}
	if op.RequestBody != nil && len(op.RequestBody.Content) > 0 {
		first := op.RequestBody.Content[0]
		c.Media, c.Body = first.Name, kind(first.Value.Schema)
		c.Example = curl(&c, first.Value.Example)
	}
	return c, d.answers(&c, op)
}

func (d *document) answers(c *call, op *operation) error {
	for _, r := range op.Responses {
		a := answer{Status: r.Name, Description: r.Value.Description}
		content := r.Value.Content
		if ref := r.Value.Ref; ref != "" {
			shared := d.Components.Responses.get(refName(ref))
			if shared == nil {
				return fmt.Errorf("there is no %s", ref)
			}
			a.Description, content = shared.Description, shared.Content
		}
		if len(content) > 0 {
			a.Kind = kind(content[0].Value.Schema)
		}
		c.add(a)
	}
	return nil
}

// add lets answers that say the same share a row: refusals would hide what is answered
// when nothing goes wrong.
func (c *call) add(a answer) {
	if n := len(c.Answers) - 1; n >= 0 && c.Answers[n].Description == a.Description && slices.Equal(c.Answers[n].Kind, a.Kind) {
		c.Answers[n].Status += " " + a.Status
		return
	}
	c.Answers = append(c.Answers, a)
}

// shape tells a schema by the fields of it and of those it builds on, or in a
// few words where it is no object.
func (d *document) shape(name string, s *schema) shape {
	out := shape{Name: name, Anchor: anchor(name), Description: s.Description, Fields: d.fields(s, 0)}
	if len(out.Fields) == 0 {
		out.Kind = kind(s)
	}
	return out
}

// maxBuilt ends a document whose schemas build on each other in a circle.
const maxBuilt = 8

func (d *document) fields(s *schema, depth int) []field {
	if s == nil || depth > maxBuilt {
		return nil
	}
	if s.Ref != "" {
		return d.fields(d.Components.Schemas.get(refName(s.Ref)), depth+1)
	}
	var list []field
	for _, base := range s.AllOf {
		list = append(list, d.fields(base, depth+1)...)
	}
	for _, p := range s.Properties {
		list = append(list, field{
			Name: p.Name, Required: slices.Contains(s.Required, p.Name), Description: p.Value.Description, Kind: kind(p.Value),
		})
	}
	return list
}

// curl is the line that makes the call with the example as its body.
func curl(c *call, example json.RawMessage) string {
	var body bytes.Buffer
	if json.Indent(&body, example, "    ", "  ") != nil || len(example) == 0 {
		return ""
	}
	method := ""
	if c.Method != "POST" {
		method = "-X " + c.Method + " "
	}
	path := strings.NewReplacer("{", "$", "}", "").Replace(c.Path)
	text := strings.ReplaceAll(body.String(), "'", `'\''`)
	return "curl " + method + "$URL" + path + " \\\n  -H \"Authorization: Bearer $KEY\" \\\n  -H \"Content-Type: " + c.Media + "\" \\\n  -d '" + text + "'"
}
