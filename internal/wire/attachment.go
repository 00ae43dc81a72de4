package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postrider/postrider/internal/message"
)

func (e *emailReader) attachment(i int) error {
	if e.dec.PeekKind() != '{' {
		e.draft.Attachments = append(e.draft.Attachments, message.DraftAttachment{})
		return e.refuse(message.CodeInvalidAttachment, "must be an object with filename and content")
	}
	a := attachmentReader{reader: e.reader}
	if err := e.object(a.member); err != nil {
		return err
	}
	at := message.Pointer("attachments", strconv.Itoa(i), "content")
	switch {
	case a.hasContent && a.draft.Path != "":
		e.faults.Add(at, message.CodeInvalidAttachment, "give the content or a path, not both")
	case !a.hasContent && a.draft.Path == "":
		e.faults.Add(at, message.CodeInvalidAttachment, "give the content in base64, or the path of a file to fetch")
	}
	e.draft.Attachments = append(e.draft.Attachments, a.draft)
	return nil
}

type attachmentReader struct {
	*reader
	draft      message.DraftAttachment
	hasContent bool
}

func (a *attachmentReader) member(name string) (err error) {
	switch name {
	case "filename":
		// false is what Resend's types offer for no name.
		if a.dec.PeekKind() == 'f' {
			return a.skip()
		}
		a.draft.Filename, _, err = a.text()
	case "content":
		a.hasContent = a.dec.PeekKind() != 'n'
		a.draft.Data, err = a.content()
	case "content_type":
		a.draft.ContentType, _, err = a.text()
	case "content_id", "inline_content_id": // the second is Resend's older name
		err = a.contentID()
	case "path":
		a.draft.Path, err = a.given(message.CodeInvalidAttachment)
	default:
		err = a.unknown(name, []string{"filename", "content", "path", "content_type", "content_id"})
	}
	return err
}

func (a *attachmentReader) contentID() error {
	id, ok, err := a.text()
	if ok && a.draft.ContentID != "" && id != a.draft.ContentID {
		a.fault(message.CodeInvalidAttachment, "content_id and inline_content_id differ")
	}
	if ok {
		a.draft.ContentID = id
	}
	return err
}

// content reads the bytes of a file: base64, or a list of numbers as one SDK
// sends, or that list inside what Node makes of a Buffer.
func (r *reader) content() ([]byte, error) {
	switch r.dec.PeekKind() {
	case '"':
		raw, err := r.raw()
		if err != nil {
			return nil, err
		}
		data, detail := decodeBase64(raw)
		if detail != "" {
			r.fault(message.CodeInvalidAttachment, detail)
		}
		return data, nil
	case '[':
		return r.bytes()
	case '{':
		return r.buffer()
	case 'n':
		return nil, r.skip()
	}
	return nil, r.refuse(message.CodeInvalidAttachment, "must be base64")
}

// decodeBase64 takes RFC 4648, section 4, with padding and nothing else: no
// line breaks, no URL alphabet, no bits left over. Two texts never decode to
// the same bytes.
func decodeBase64(raw jsontext.Value) (data []byte, detail string) {
	text := unquote(raw)
	if bytes.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return nil, "must be base64 without line breaks"
	}
	data = make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(data, text)
	if err != nil {
		return nil, "must be base64 in the standard alphabet with padding: " + err.Error()
	}
	return data[:n], ""
}

// bytes reads a list of numbers from 0 to 255. The first that is none spoils
// the rest, which is passed over.
func (r *reader) bytes() ([]byte, error) {
	data, good := []byte{}, true
	err := r.array(func(int) error {
		if r.dec.PeekKind() != '0' {
			if good {
				good = false
				return r.refuse(message.CodeInvalidAttachment, "must be a number from 0 to 255")
			}
			return r.skip()
		}
		number, err := r.dec.ReadValue() // not counted: there are as many as bytes
		if err != nil {
			return syntax(err)
		}
		b, ok := octet(number)
		if good && !ok {
			good = false
			r.fault(message.CodeInvalidAttachment, "must be a whole number from 0 to 255")
		}
		if good {
			data = append(data, b)
		}
		return nil
	})
	if !good {
		data = nil
	}
	return data, err
}

// octet reads 0 to 255 in plain digits; 1.0, 1e2 and -0 are refused.
func octet(number []byte) (byte, bool) {
	if len(number) > 3 {
		return 0, false
	}
	n := 0
	for _, c := range number {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return byte(n), n <= 255
}

// buffer reads {"type":"Buffer","data":[…]}.
func (r *reader) buffer() ([]byte, error) {
	var data []byte
	var kind string
	err := r.object(func(name string) (err error) {
		switch {
		case name == "type":
			kind, _, err = r.text()
		case name == "data" && r.dec.PeekKind() == '[':
			data, err = r.bytes()
		default:
			err = r.refuse(message.CodeInvalidAttachment, "must be base64")
		}
		return err
	})
	if err == nil && kind != "Buffer" {
		r.fault(message.CodeInvalidAttachment, "must be base64")
		return nil, nil
	}
	return data, err
}
