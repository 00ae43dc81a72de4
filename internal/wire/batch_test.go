package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

func readBatch(t *testing.T, body string) *message.BatchDraft {
	t.Helper()
	d, err := ReadBatch(strings.NewReader(body), false, message.DefaultLimits(), now())
	if err != nil {
		t.Fatalf("%.200s: %v", body, err)
	}
	return d
}

// whole is the error of a body that is refused as a whole, as "pointer code".
func whole(t *testing.T, body string) []string {
	t.Helper()
	_, err := ReadBatch(strings.NewReader(body), true, message.DefaultLimits(), now())
	var e *message.Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200s: got %v, want a message.Error", body, err)
	}
	var list []string
	for _, f := range e.Fields {
		list = append(list, f.Pointer+" "+string(f.Code))
	}
	return list
}

func TestABatchIsReadEmailByEmail(t *testing.T) {
	d := readBatch(t, `[`+with()+`, `+with(`"cc":7`)+`,3,`+with(`"tags":[{"name":"a","value":"b","z":1}]`)+`,`+with(`"lane":"low"`)+`]`)
	if len(d.Items) != 5 || d.Items[0].Draft == nil || d.Items[4].Draft == nil {
		t.Fatalf("%+v", d.Items)
	}
	for i, want := range map[int]string{1: "/cc invalid_field", 2: " invalid_field", 3: "/tags/0/z unknown_field"} {
		item := d.Items[i]
		if item.Draft != nil || len(item.Err.Fields) != 1 || item.Err.Fields[0].Pointer+" "+string(item.Err.Fields[0].Code) != want {
			t.Errorf("item %d: %+v", i, item.Err)
		}
	}
}

// What a template gives is not missed in an email of a batch either.
func TestAFaultBesideATemplateIsTheOnlyOne(t *testing.T) {
	item := readBatch(t, `[{"to": "b@example.com", "template": {"id": "welcome", "variables": {"a": 1}}, "cc": 7}]`).Items[0]
	if item.Err == nil || len(item.Err.Fields) != 1 || item.Err.Fields[0].Pointer != "/cc" {
		t.Errorf("%+v", item.Err)
	}
}

func TestOneEmailFullOfFaultsHidesNoOther(t *testing.T) {
	bad := `{` + strings.TrimSuffix(strings.Repeat(`"x":0,`, 1), ",")
	for i := range 300 {
		bad += `,"f` + strings.Repeat("x", i) + `":[{"a":[1]}]`
	}
	d := readBatch(t, `[`+with()+`,`+bad+`},`+bad+`},`+with()+`]`)
	if len(d.Items) != 4 || d.Items[0].Draft == nil || d.Items[3].Draft == nil || len(d.Items[1].Err.Fields) != 100 || len(d.Items[2].Err.Fields) != 100 {
		t.Errorf("%d items", len(d.Items))
	}
}

func TestWhatEndsABatchIsNamedByItsPlace(t *testing.T) {
	many := `{"tags":[` + strings.TrimSuffix(strings.Repeat(`{},`, maxTokens/2), ",") + `]}`
	deep := `{"x":` + strings.Repeat("[", 20) + `]`
	for body, want := range map[string]string{
		`[` + with() + `,` + many + `]`:                                    "/1/tags/9998 too_large",
		`[` + with() + `,{"` + strings.Repeat("n", maxNameBytes) + `":1}]`: "/1 too_large",
		`[` + with() + `,{"a":1,"a":2}]`:                                   "/1/a duplicate_key",
		`[` + with() + `,` + deep:                                          " json_too_deep",
		`[` + with() + `,{"to":"\ud800"}]`:                                 "/1/to invalid_json",
		`[` + with() + `,]`:                                                " invalid_json",
		`[` + strings.TrimSuffix(strings.Repeat(`{},`, 501), ",") + `]`:    " too_large",
		`[]`: " missing_field",
	} {
		if got := whole(t, body); !slices.Contains(got, want) {
			t.Errorf("%.60s…: %v, want %s", body, got, want)
		}
	}
}

func TestABatchHasAHashOfItsOwn(t *testing.T) {
	limits, seen := message.DefaultLimits(), map[[32]byte]string{}
	_, single, err := ReadEmail(strings.NewReader(with()), limits, now())
	if err != nil {
		t.Fatal(err)
	}
	seen[single] = "a single email"
	for _, body := range []string{
		`[` + with() + `]`, `[` + with() + `,` + with() + `]`, `[` + with(`"lane":"low"`) + `,` + with() + `]`, `[` + with() + `,` + with(`"lane":"low"`) + `]`,
		`[` + with() + `,1]`, `[` + with() + `,2]`, `[` + with(`"x":1`) + `]`, `[` + with(`"x":2`) + `]`,
	} {
		for _, permissive := range []bool{false, true} {
			d, err := ReadBatch(strings.NewReader(body), permissive, limits, now())
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := seen[d.Hash]; ok {
				t.Errorf("%s (permissive %v) hashes like %s", body, permissive, other)
			}
			seen[d.Hash] = body
		}
	}
	same := readBatch(t, "[ "+strings.Replace(with(), `"b@example.com"`, `["b@example.com"]`, 1)+" ,\n{\"x\":1}]").Hash
	if same != readBatch(t, "["+with(`"cc":null`)+",{\"x\":1} ]").Hash {
		t.Error("the hash depends on how the batch is written")
	}
}

func FuzzReadBatch(f *testing.F) {
	for _, body := range []string{
		"[]", "[" + with() + "]", "[" + with() + "," + with(`"x":1`) + ",3,null,[[]]]", "[" + with(`"to":["a",1]`) + "]", "[{}]x", `[{"a":1,"a":2}]`,
		"[" + strings.Repeat("{},", 20) + "{}]", "[" + with(`"attachments":[{"content":[1,300]}]`) + "]", "[[[[[[[[[[[[[[[[[[[",
	} {
		f.Add([]byte(body))
	}
	limits := message.DefaultLimits()
	limits.BatchMessages = 10
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := ReadBatch(bytes.NewReader(body), true, limits, now())
		if err != nil {
			var e *message.Error
			if !errors.As(err, &e) || len(e.Fields) == 0 || d != nil {
				t.Fatalf("refused with %v and %v", err, d)
			}
			return
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil || len(raw) != len(d.Items) {
			t.Fatalf("read %d emails of %q: %v", len(d.Items), body, err)
		}
		for i, item := range d.Items {
			alone, hash, err := ReadEmail(bytes.NewReader(raw[i]), limits, now())
			if (err == nil) != (item.Draft != nil) || err == nil && hash != Hash(item.Draft) {
				t.Fatalf("email %d, %q, is read as %v in the batch and as %v, %v alone", i, raw[i], item.Draft, alone, err)
			}
			if item.Draft == nil && (item.Err == nil || len(item.Err.Fields) == 0) {
				t.Fatalf("email %d is refused without a reason", i)
			}
		}
	})
}
