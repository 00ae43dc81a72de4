package wire

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/postrider/postrider/internal/message"
)

// Headers is written as an object of strings that keeps the order of its
// members.
type Headers []message.Header

// MarshalJSON implements json.Marshaler.
func (h Headers) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b, jsontext.AllowDuplicateNames(true))
	tokens := []jsontext.Token{jsontext.BeginObject}
	for _, header := range h {
		tokens = append(tokens, jsontext.String(header.Name), jsontext.String(header.Value))
	}
	for _, token := range append(tokens, jsontext.EndObject) {
		if err := e.WriteToken(token); err != nil {
			return nil, fmt.Errorf("write headers: %w", err)
		}
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Headers) UnmarshalJSON(data []byte) error {
	in, err := newReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	var list Headers
	e := emailReader{reader: in}
	if err := e.pairs(func(name, value string) { list = append(list, message.Header{Name: name, Value: value}) }); err != nil {
		return fmt.Errorf("read headers: %w", err)
	}
	*h = list
	return in.faults.Err()
}
