package wire

import (
	"github.com/postrider/postrider/internal/message"
)

// emailReader reads the members of an email into a draft.
type emailReader struct {
	*reader
	draft *message.Draft
}

func (e *emailReader) member(name string) (err error) {
	d := e.draft
	switch name {
	case "from":
		d.From, _, err = e.text()
	case "to":
		d.To, err = e.people(message.CodeMissingRecipient)
	case "cc":
		d.Cc, err = e.people(message.CodeInvalidField)
	case "bcc":
		d.Bcc, err = e.people(message.CodeInvalidField)
	case "reply_to":
		d.ReplyTo, err = e.people(message.CodeInvalidField)
	case "subject":
		d.Subject, _, err = e.text()
	case "html":
		d.HTML, _, err = e.text()
	case "text":
		d.Text, _, err = e.text()
	default:
		err = e.extra(name)
	}
	return err
}

func (e *emailReader) extra(name string) (err error) {
	d := e.draft
	switch name {
	case "headers":
		err = e.pairs(func(name, value string) { d.Headers = append(d.Headers, message.Header{Name: name, Value: value}) })
	case "metadata":
		err = e.pairs(func(name, value string) {
			if d.Metadata == nil {
				d.Metadata = map[string]string{}
			}
			d.Metadata[name] = value
		})
	case "tags":
		err = e.list(e.tag)
	case "attachments":
		err = e.list(e.attachment)
	case "scheduled_at":
		d.ScheduledAt, err = e.given(message.CodeInvalidScheduledAt)
	case "expires_at":
		d.ExpiresAt, err = e.given(message.CodeInvalidExpiresAt)
	case "lane":
		d.Lane, err = e.given(message.CodeInvalidField)
	case "on_unknown":
		d.OnUnknown, err = e.given(message.CodeInvalidField)
	case "template":
		err = e.template()
	case "topic_id", "react":
		err = e.unsupported()
	default:
		err = e.unknown(name, emailFields())
	}
	return err
}

func emailFields() []string {
	return []string{
		"from", "to", "cc", "bcc", "reply_to", "subject", "html", "text", "headers", "attachments", "tags",
		"metadata", "scheduled_at", "expires_at", "lane", "on_unknown", "template",
	}
}

// unsupported refuses a field of Resend's that Postrider does not offer: to
// leave it out in silence would send another mail than the one that was meant.
func (r *reader) unsupported() error {
	if r.dec.PeekKind() == 'n' {
		return r.skip()
	}
	return r.refuse(message.CodeUnsupportedField, "is not supported")
}

// given reads a string that, once written, has to say something: an empty time
// is more likely a variable that was not filled than a wish.
func (r *reader) given(code message.Code) (string, error) {
	s, ok, err := r.text()
	if ok && s == "" {
		r.fault(code, "must not be empty; leave it out instead")
	}
	return s, err
}

// people reads one address or a list of them. An element that is no string
// keeps its place, so that the pointers of those behind it stay right. notList
// is the code for an object.
func (r *reader) people(notList message.Code) (list []string, err error) {
	const want = "must be an address or a list of addresses"
	switch r.dec.PeekKind() {
	case '[':
		err = r.array(func(int) error {
			s, err := r.required("must be an address")
			list = append(list, s)
			return err
		})
		return list, err
	case '{':
		return nil, r.refuse(notList, want)
	case '"':
		s, ok, err := r.string()
		if ok && s != "" {
			list = []string{s}
		}
		return list, err
	case 'n':
		return nil, r.skip()
	}
	return nil, r.refuse(message.CodeInvalidField, want)
}

// required reads a string where null will not do.
func (r *reader) required(want string) (string, error) {
	if r.dec.PeekKind() != '"' {
		return "", r.refuse(message.CodeInvalidField, want)
	}
	s, _, err := r.string()
	return s, err
}

// pairs reads an object of strings.
func (r *reader) pairs(add func(name, value string)) error {
	switch r.dec.PeekKind() {
	case 'n':
		return r.skip()
	case '{':
		return r.object(func(name string) error {
			value, err := r.required("must be a string")
			add(name, value)
			return err
		})
	}
	return r.refuse(message.CodeInvalidField, "must be an object of strings")
}

// list reads an array of objects.
func (r *reader) list(element func(i int) error) error {
	switch r.dec.PeekKind() {
	case 'n':
		return r.skip()
	case '[':
		return r.array(element)
	}
	return r.refuse(message.CodeInvalidField, "must be a list of objects")
}

func (e *emailReader) tag(int) error {
	if e.dec.PeekKind() != '{' {
		e.draft.Tags = append(e.draft.Tags, message.Tag{})
		return e.refuse(message.CodeInvalidField, "must be an object with name and value")
	}
	var t message.Tag
	err := e.object(func(name string) (err error) {
		switch name {
		case "name":
			t.Name, _, err = e.text()
		case "value":
			t.Value, _, err = e.text()
		default:
			err = e.unknown(name, []string{"name", "value"})
		}
		return err
	})
	e.draft.Tags = append(e.draft.Tags, t)
	return err
}
