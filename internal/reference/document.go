package reference

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// The types below are the part of OpenAPI 3.1 that the document uses. What they
// do not know is passed over: the document is held against its own
// specification elsewhere.

type document struct {
	Info struct {
		Title       string `json:"title"`
		Summary     string `json:"summary"`
		Description string `json:"description"`
		Version     string `json:"version"`
	} `json:"info"`
	Tags       []tag              `json:"tags"`
	Paths      ordered[*pathItem] `json:"paths"`
	Components struct {
		Parameters ordered[*parameter] `json:"parameters"`
		Responses  ordered[*response]  `json:"responses"`
		Schemas    ordered[*schema]    `json:"schemas"`
	} `json:"components"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type pathItem struct {
	Parameters []*parameter
	Operations ordered[*operation]
}

// UnmarshalJSON implements json.Unmarshaler: every member of a path is the
// operation of one method, but for the parameters that all of them share.
func (p *pathItem) UnmarshalJSON(data []byte) error {
	var members ordered[json.RawMessage]
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for _, m := range members {
		if m.Name == "parameters" {
			if err := json.Unmarshal(m.Value, &p.Parameters); err != nil {
				return err
			}
			continue
		}
		o := &operation{}
		if err := json.Unmarshal(m.Value, o); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		p.Operations = append(p.Operations, named[*operation]{m.Name, o})
	}
	return nil
}

type operation struct {
	ID          string             `json:"operationId"`
	Summary     string             `json:"summary"`
	Description string             `json:"description"`
	Tags        []string           `json:"tags"`
	Security    *[]json.RawMessage `json:"security"` // nil: as everywhere; empty: no key
	Parameters  []*parameter       `json:"parameters"`
	RequestBody *struct {
		Content ordered[*media] `json:"content"`
	} `json:"requestBody"`
	Responses ordered[*response] `json:"responses"`
}

type parameter struct {
	Ref         string  `json:"$ref"`
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Required    bool    `json:"required"`
	Description string  `json:"description"`
	Schema      *schema `json:"schema"`
}

type response struct {
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Content     ordered[*media] `json:"content"`
}

type media struct {
	Schema  *schema         `json:"schema"`
	Example json.RawMessage `json:"example"`
}

type schema struct {
	Ref           string           `json:"$ref"`
	Type          oneOrMore        `json:"type"`
	Description   string           `json:"description"`
	Format        string           `json:"format"`
	Enum          []any            `json:"enum"`
	Const         any              `json:"const"`
	Default       any              `json:"default"`
	Required      []string         `json:"required"`
	Properties    ordered[*schema] `json:"properties"`
	Items         *schema          `json:"items"`
	OneOf         []*schema        `json:"oneOf"`
	AnyOf         []*schema        `json:"anyOf"`
	AllOf         []*schema        `json:"allOf"`
	Additional    additional       `json:"additionalProperties"`
	Minimum       *json.Number     `json:"minimum"`
	Maximum       *json.Number     `json:"maximum"`
	MinLength     *int             `json:"minLength"`
	MaxLength     *int             `json:"maxLength"`
	MaxItems      *int             `json:"maxItems"`
	Pattern       string           `json:"pattern"`
	MaxProperties *int             `json:"maxProperties"`
}

// oneOrMore is the type of a schema: a word, or a list of them.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]string)(o))
	}
	*o = make([]string, 1)
	return json.Unmarshal(data, &(*o)[0])
}

// additional is what an object holds beside its named members; nil for nothing
// that is said.
type additional struct{ *schema }

// UnmarshalJSON implements json.Unmarshaler: true and false say nothing of a
// kind.
func (a *additional) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("{")) {
		return nil
	}
	a.schema = &schema{}
	return json.Unmarshal(data, a.schema)
}

// ordered is an object whose members keep the order they are written in: that is
// the order in which people should read them.
type ordered[T any] []named[T]

type named[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		m := named[T]{Name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(value, &m.Value); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		*o = append(*o, m)
	}
	return nil
}

// get finds a member; the zero value if there is none.
func (o ordered[T]) get(name string) (value T) {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return value
}
