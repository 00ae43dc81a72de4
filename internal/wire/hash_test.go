package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

func TestEveryDraftFieldIsHashed(t *testing.T) {
	seen := map[[32]byte]string{Hash(&message.Draft{}): "nothing"}
	fields := reflect.TypeFor[message.Draft]()
	for i := range fields.NumField() {
		var d message.Draft
		switch v := reflect.ValueOf(&d).Elem().Field(i); v.Interface().(type) {
		case string:
			v.SetString("x")
		case map[string]string:
			v.Set(reflect.ValueOf(map[string]string{"x": ""}))
		case *message.TemplateUse:
			v.Set(reflect.ValueOf(&message.TemplateUse{Template: "x"}))
		default:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			if v.Type().Elem().Kind() == reflect.String {
				v.Index(0).SetString("x")
			}
		}
		h, name := Hash(&d), fields.Field(i).Name
		if other, ok := seen[h]; ok && name != "Attachments" {
			t.Errorf("%s hashes like %s", name, other)
		}
		seen[h] = name
	}
}

func TestHashSeesEveryDifference(t *testing.T) {
	drafts := []message.Draft{
		{To: []string{"ab"}}, {To: []string{"a", "b"}}, {Cc: []string{"ab"}}, {To: []string{"a"}, Cc: []string{"b"}},
		{Subject: "a", Text: "b"}, {Subject: "ab"}, {Headers: []message.Header{{Name: "a", Value: "b"}}},
		{Tags: []message.Tag{{Name: "a", Value: "b"}}}, {Metadata: map[string]string{"a": "b"}},
		{Tags: []message.Tag{{Name: "a", Value: "b"}, {Name: "c"}}}, {Tags: []message.Tag{{Name: "c"}, {Name: "a", Value: "b"}}},
		{Attachments: []message.DraftAttachment{{Data: []byte("ab")}}}, {Attachments: []message.DraftAttachment{{Data: []byte("a")}, {Data: []byte("b")}}},
		{Template: &message.TemplateUse{Template: "a"}}, {Template: &message.TemplateUse{Template: "a", Locale: "de"}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": "1"}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": json.Number("1")}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": true}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": []any{"1"}}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": map[string]any{"1": "1"}}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": "1", "b": "2"}}},
		{Template: &message.TemplateUse{Template: "a", Variables: map[string]any{"a": []any{"1", nil}}}},
		{Attachments: []message.DraftAttachment{{Filename: "ab"}}}, {Attachments: []message.DraftAttachment{{}}},
	}
	seen := map[[32]byte]int{}
	for i := range drafts {
		h := Hash(&drafts[i])
		if j, ok := seen[h]; ok {
			t.Errorf("%+v and %+v have one hash", drafts[i], drafts[j])
		}
		seen[h] = i
	}
}

func TestHashIgnoresHowItIsWritten(t *testing.T) {
	same := []string{
		with(`"headers":{"X-A":"1","X-B":"2"}`, `"attachments":[{"content":"aGk/"}]`, `"metadata":{"a":"1","b":"2"}`),
		with(`"metadata":{"b":"2","a":"1"}`, `"attachments":[{"content":[104,105,63]}]`, `"headers":{"X-B":"2","X-A":"1"}`, `"cc":null`),
		strings.Replace(with(`"headers" : {"X-A":"1","X-B":"2"} `, `"attachments":[{"content":"aGk\/","filename":false}]`, `"metadata":{"\u0061":"1","b":"2"}`),
			`"b@example.com"`, `["b@example.com"]`, 1),
		with(`"headers":{"X-A":"1","X-B":"2"}`, `"attachments":[{"content":{"type":"Buffer","data":[104,105,63]}}]`,
			`"metadata":{"a":"1","b":"2"}`, `"topic_id":null`, `"bcc":[]`),
	}
	var first [32]byte
	for i, body := range same {
		_, hash, err := ReadEmail(strings.NewReader(body), message.DefaultLimits(), now())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = hash
		}
		if hash != first {
			t.Errorf("%s: another hash", body)
		}
	}
}
