package wire

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/postrider/postrider/internal/message"
)

// MaxTemplate is the longest body of a request about a template, in bytes: its
// texts with every sign escaped that may be.
const MaxTemplate = 6 << 20

// DecodeTemplate reads the body of POST /v1/templates and of PATCH
// /v1/templates/{id}. What is null is emptied. The error is as DecodeEmail's.
func DecodeTemplate(r io.Reader) (*message.TemplateEdit, error) {
	in, err := newReader(r, MaxTemplate)
	if err != nil {
		return nil, err
	}
	t := &templateReader{reader: in, edit: &message.TemplateEdit{}}
	if err := in.fields(t.member); err != nil {
		return nil, err
	}
	return t.edit, nil
}

// fields reads a document and returns the faults of its fields as well.
func (r *reader) fields(member func(string) error) error {
	if err := r.document(member); err != nil && !errors.Is(err, errStop) {
		return err
	}
	return r.faults.Err()
}

type templateReader struct {
	*reader
	edit *message.TemplateEdit
}

func (t *templateReader) member(name string) (err error) {
	e := t.edit
	switch name {
	case "name":
		err = t.field(&e.Name)
	case "alias":
		err = t.field(&e.Alias)
	case "kind":
		err = t.field(&e.Kind)
	case "from":
		err = t.field(&e.From)
	case "reply_to":
		var list []string
		list, err = t.people(message.CodeInvalidField)
		e.ReplyTo = &list
	case "subject":
		err = t.field(&e.Subject)
	case "html":
		err = t.field(&e.HTML)
	case "text":
		err = t.field(&e.Text)
	case "layout":
		err = t.field(&e.Layout)
	default:
		err = t.extra(name)
	}
	return err
}

func (t *templateReader) extra(name string) (err error) {
	e := t.edit
	switch name {
	case "variables":
		list := []message.Variable{}
		err = t.list(func(int) error {
			v, err := t.variable()
			list = append(list, v)
			return err
		})
		e.Variables = &list
	case "locales":
		e.Locales = &map[string]message.TemplateText{}
		err = t.locales(*e.Locales)
	case "generate_text":
		e.GenerateText, err = t.option()
	case "inline_css":
		e.InlineCSS, err = t.option()
	case "react":
		err = t.unsupported()
	default:
		err = t.unknown(name, templateFields())
	}
	return err
}

func templateFields() []string {
	return []string{
		"name", "alias", "kind", "from", "reply_to", "subject", "html", "text", "layout", "variables", "locales",
		"generate_text", "inline_css",
	}
}

// field reads a string; null empties it.
func (r *reader) field(to **string) error {
	s, _, err := r.text()
	*to = &s
	return err
}

func (r *reader) option() (*bool, error) {
	on, err := r.flag()
	return &on, err
}

func (t *templateReader) variable() (v message.Variable, err error) {
	if t.dec.PeekKind() != '{' {
		return v, t.refuse(message.CodeInvalidField, "must be an object with key and type")
	}
	err = t.object(func(name string) (err error) {
		switch name {
		case "key":
			v.Key, _, err = t.text()
		case "type":
			var s string
			s, _, err = t.text()
			v.Type = message.VariableType(s)
		case "fallback_value":
			v.Fallback, err = t.value()
		case "optional":
			v.Optional, err = t.flag()
		case "id", "created_at", "updated_at": // of an answer that is sent back
			err = t.skip()
		default:
			err = t.unknown(name, []string{"key", "type", "fallback_value", "optional"})
		}
		return err
	})
	return v, err
}

func (t *templateReader) locales(list map[string]message.TemplateText) error {
	switch t.dec.PeekKind() {
	case 'n':
		return t.skip()
	case '{':
		return t.object(func(locale string) error {
			text, err := t.wording()
			list[locale] = text
			return err
		})
	}
	return t.refuse(message.CodeInvalidField, "must be an object of texts by locale")
}

func (t *templateReader) wording() (text message.TemplateText, err error) {
	if t.dec.PeekKind() != '{' {
		return text, t.refuse(message.CodeInvalidField, "must be an object with subject, html and text")
	}
	err = t.object(func(name string) (err error) {
		switch name {
		case "subject":
			text.Subject, _, err = t.text()
		case "html":
			text.HTML, _, err = t.text()
		case "text":
			text.Text, _, err = t.text()
		default:
			err = t.unknown(name, []string{"subject", "html", "text"})
		}
		return err
	})
	return text, err
}

// MaxTrial is the longest body of a trial, in bytes.
const MaxTrial = 1 << 20

// DecodeTrial reads the body of POST /v1/templates/{id}/render. The error is as
// DecodeEmail's.
func DecodeTrial(r io.Reader) (message.TemplateTrial, error) {
	var trial message.TemplateTrial
	in, err := newReader(r, MaxTrial)
	if err != nil {
		return trial, err
	}
	err = in.fields(func(name string) (err error) {
		switch name {
		case "variables":
			trial.Variables, err = in.values()
		case "locale":
			trial.Locale, _, err = in.text()
		case "version":
			trial.Published, err = in.version()
		default:
			err = in.unknown(name, []string{"variables", "locale", "version"})
		}
		return err
	})
	return trial, err
}

func (r *reader) version() (published bool, err error) {
	s, ok, err := r.text()
	if ok && s != "current" && s != "published" {
		r.fault(message.CodeInvalidField, "must be current or published")
	}
	return s == "published", err
}

// template reads the template of an email.
func (e *emailReader) template() error {
	switch e.dec.PeekKind() {
	case 'n':
		return e.skip()
	case '{':
	default:
		return e.refuse(message.CodeInvalidField, "must be an object with id and variables")
	}
	use := &message.TemplateUse{}
	e.draft.Template = use
	err := e.object(func(name string) (err error) {
		switch name {
		case "id":
			use.Template, _, err = e.text()
		case "variables":
			use.Variables, err = e.values()
		case "locale":
			use.Locale, err = e.given(message.CodeInvalidField)
		default:
			err = e.unknown(name, []string{"id", "variables", "locale"})
		}
		return err
	})
	if at := message.Pointer("template", "id"); err == nil && use.Template == "" && !e.faults.At(at) {
		e.faults.Add(at, message.CodeMissingField, "give the id or the alias of a template")
	}
	return err
}

// template writes what is asked of a template, for Hash. The order of names in an
// object means nothing.
func (h hasher) template(use *message.TemplateUse) {
	if use == nil {
		return
	}
	h.field("template", use.Template, use.Locale)
	h.value(use.Variables)
}

func (h hasher) value(value any) {
	switch v := value.(type) {
	case map[string]any:
		h.text("object")
		h.size(len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			h.text(name)
			h.value(v[name])
		}
	case []any:
		h.text("list")
		h.size(len(v))
		for _, element := range v {
			h.value(element)
		}
	case string:
		h.text("string")
		h.text(v)
	case json.Number: // as it is written
		h.text("number")
		h.text(v.String())
	case bool:
		h.text(strconv.FormatBool(v))
	default:
		h.text("null")
	}
}
