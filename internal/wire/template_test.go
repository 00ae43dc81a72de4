package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
)

func pointTo[T any](v T) *T { return &v }

func TestATemplateIsReadAsItIsWritten(t *testing.T) {
	const body = `{"name":"Order","alias":null,"from":"a@example.com","reply_to":"b@example.com","html":"<p>","generate_text":true,"inline_css":null,
		"variables":[{"key":"A","type":"string"},{"key":"B","type":"list","fallback_value":[1,"x",{"y":true,"z":null}],"optional":true}],
		"locales":{"de":{"subject":"s","html":null}}}`
	got, err := DecodeTemplate(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	want := &message.TemplateEdit{
		Name: pointTo("Order"), Alias: pointTo(""), From: pointTo("a@example.com"), HTML: pointTo("<p>"), ReplyTo: &[]string{"b@example.com"},
		GenerateText: pointTo(true), InlineCSS: pointTo(false),
		Variables: &[]message.Variable{{Key: "A", Type: "string"}, {
			Key: "B", Type: "list", Optional: true, Fallback: []any{json.Number("1"), "x", map[string]any{"y": true}},
		}},
		Locales: &map[string]message.TemplateText{"de": {Subject: "s"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerCanBeSentBackAsAnEdit(t *testing.T) {
	shown := NewTemplate(&message.Template{
		ID: id(1), Name: "n", Kind: message.TemplateEmail, Current: message.TemplateVersion{ID: id(2), Number: 1, Body: message.TemplateBody{
			TemplateText: message.TemplateText{HTML: "<p>"}, Variables: []message.Variable{{Key: "a", Type: "number", Fallback: json.Number("1.50")}},
			Locales: map[string]message.TemplateText{"de": {HTML: "x"}},
		}},
	})
	text, err := json.Marshal(map[string]any{"variables": shown.Variables, "locales": shown.Locales, "html": shown.HTML, "reply_to": shown.ReplyTo})
	if err != nil {
		t.Fatal(err)
	}
	edit, err := DecodeTemplate(strings.NewReader(string(text)))
	if err != nil || (*edit.Variables)[0].Fallback != json.Number("1.50") || (*edit.Locales)["de"].HTML != "x" {
		t.Errorf("%+v %v", edit, err)
	}
}

func TestWhatIsNoTemplateIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		`{"variables":{}}`: "/variables", `{"variables":["A"]}`: "/variables/0", `{"locales":[]}`: "/locales", `{"locales":{"de":"x"}}`: "/locales/de",
		`{"html":7}`: "/html", `{"generate_text":"yes"}`: "/generate_text", `{"react":{}}`: "/react", `{"replyTo":"x"}`: "/replyTo",
		`{"variables":[{"key":"a","type":"list","fallback_value":[` + strings.Repeat("9", 41) + `]}]}`: "/variables/0/fallback_value/0",
	} {
		_, err := DecodeTemplate(strings.NewReader(body))
		var refused *message.Error
		if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Pointer != want {
			t.Errorf("%s: %v, want one fault at %s", body, err, want)
		}
	}
}

func FuzzDecodeTemplate(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","html":"{{a}}","variables":[{"key":"a","type":"object","fallback_value":{"b":[1,null,"x"]}}]}`, `{"locales":{"de":{"html":"x"}}}`,
		`{"reply_to":["a"],"layout":null}`, `{"variables":[[]]}`, `{"generate_text":1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		edit, err := DecodeTemplate(strings.NewReader(string(body)))
		var refused *message.Error
		if (edit == nil) == (err == nil) || err != nil && !errors.As(err, &refused) {
			t.Errorf("%+v %v", edit, err)
		}
	})
}
