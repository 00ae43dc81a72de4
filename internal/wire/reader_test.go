package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func TestNotJSON(t *testing.T) {
	bodies := map[string]string{
		"row 1: empty": "", "row 1: blank": " \n", "row 1: null": "null", "row 1: array": "[]", "row 1: string": `"x"`,
		"row 1: number": "1", "row 1: true": "true",
		"row 2: truncated": `{"from":"a@exa`, "row 2: truncated between": `{"from":"a@example.com",`, "row 2: trailing": with() + "x",
		"row 2: trailing brace": with() + "}", "row 2: two documents": with() + with(), "row 2: comment": `/* */` + with(),
		"row 2: inner comment": with(`//`), "row 2: NaN": with(`"lane":NaN`), "row 2: single quotes": `{'from':'a'}`,
		"row 2: trailing comma": `{"from":"a",}`, "row 2: bare name": `{from:"a"}`, "row 2: raw line break": with("\"html\":\"a\nb\""),
		"row 2: leading zero": with(`"lane":01`), "row 2: wrong bracket": with(`"tags":[}`), "row 2: bad escape": with(`"html":"\x"`),
		"row 8: lone surrogate": with(`"html":"\ud800"`), "row 8: swapped surrogates": with(`"html":"\udc00\ud800"`),
		"row 8: lone surrogate in a name": with(`"\ud800":1`), "row 8: invalid UTF-8": with("\"html\":\"\xff\""),
		"row 8: overlong": with("\"html\":\"\xc0\xaf\""), "row 8: encoded surrogate": with("\"html\":\"\xed\xa0\x80\""),
		"row 8: BOM": "\xef\xbb\xbf" + with(), "row 8: UTF-16": "\xff\xfe{\x00}\x00", "row 8: UTF-16 without BOM": "{\x00}\x00",
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			if code, list := faults(t, body); code != message.CodeInvalidJSON || len(list) != 1 {
				t.Errorf("got %s %v", code, list)
			}
		})
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	_, err := read(with(`"headers":{"X-A":nope}`))
	var e *message.Error
	if !errors.As(err, &e) || e.Fields[0].Pointer != "/headers/X-A" || !strings.Contains(e.Detail, "at byte 88") {
		t.Errorf("got %v", err)
	}
}

func TestRow3DuplicateKeys(t *testing.T) {
	for body, want := range map[string]string{
		with(`"to":"c@example.com"`):                         "/to duplicate_key",
		with(`"\u0074o":"c@example.com"`):                    "/to duplicate_key",
		with(`"headers":{"X-A":"1","X-A":"2"}`):              "/headers/X-A duplicate_key",
		with(`"metadata":{"a/b":"1","a/b":"2"}`):             "/metadata/a~1b duplicate_key",
		with(`"tags":[{"name":"a","value":"b","name":"c"}]`): "/tags/0/name duplicate_key",
		with(`"template":{"id":1,"id":2}`):                   "/template/id duplicate_key",
	} {
		if code, list := faults(t, body); code != message.CodeDuplicateKey || !slices.Equal(list, []string{want}) {
			t.Errorf("%s: got %s %v", body, code, list)
		}
	}
}

func TestHostileBodies(t *testing.T) {
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	numbered := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	const mega, plenty = 1 << 20, 1 << 18
	cases := []struct {
		name, body string
		code       message.Code
		megabytes  uint64 // allocated in all, mostly for reading the body
	}{
		{"row 6: deep array", strings.Repeat("[", 100_000), message.CodeTooDeep, 10},
		{"row 6: deep array, closed", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), message.CodeTooDeep, 10},
		{"row 6: deep object", with(strings.Repeat(`"a":{`, 100_000)), message.CodeTooDeep, 10},
		{"row 6: deep in content", with(`"attachments":[{"content":` + strings.Repeat("[", 100_000)), message.CodeTooDeep, 10},
		{"row 6: deep in to", with(`"cc":` + strings.Repeat("[", 100_000)), message.CodeTooDeep, 10},
		{"a quarter of a million unknown names", with(many(plenty, numbered(`"n%d":1,`)) + `"x":1`), message.CodeValidation, 40},
		{"a quarter of a million headers", with(`"headers":{` + many(plenty, numbered(`"X-%d":"1",`)) + `"x":"1"}`), message.CodeValidation, 25},
		{"a quarter of a million metadata", with(`"metadata":{` + many(plenty, numbered(`"X-%d":"1",`)) + `"x":"1"}`), message.CodeValidation, 25},
		{"a quarter of a million recipients", with(`"cc":[` + strings.Repeat(`"c@example.com",`, plenty) + `"d@example.com"]`), message.CodeValidation, 25},
		{"row 57: 10,000 tags", with(`"tags":[` + strings.Repeat(`{"name":"a","value":"b"},`, 10_000) + `{}]`), message.CodeValidation, 10},
		{"row 49: 1,000 attachments", with(`"attachments":[` + strings.Repeat(`{"content":"YQ=="},`, 1_000) + `{"content":""}]`), message.CodeValidation, 10},
		{"strings in content", with(`"attachments":[{"content":[` + strings.Repeat(`"a",`, plenty) + `1]}]`), message.CodeValidation, 20},
		{"long unknown name", with(`"` + strings.Repeat("n", 10*mega) + `":1`), message.CodeValidation, 80},
		{"long number", with(`"lane":` + strings.Repeat("9", 10*mega)), message.CodeValidation, 80},
		{"row 22: 51 recipients", with(`"cc":[` + strings.Repeat(`"c@example.com",`, 49) + `"d@example.com"]`), message.CodeValidation, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, start := allocated(), time.Now()
			_, err := read(c.body)
			took, used := time.Since(start), (allocated()-before)/mega
			var e *message.Error
			if !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("got %.300v", err)
			}
			if len(err.Error()) > 20_000 || used > c.megabytes || took > 5*time.Second {
				t.Errorf("an answer of %d bytes, %d MB allocated, %s", len(err.Error()), used, took)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestRow10BodyLimit(t *testing.T) {
	limits := message.Limits{MessageBytes: 100}
	body := func(n int) io.Reader {
		return strings.NewReader(`{"x":"` + strings.Repeat("y", n-8) + `"}`)
	}
	var e *message.Error
	if _, _, err := DecodeEmail(body(145), limits); !errors.As(err, &e) || e.Code != message.CodeValidation {
		t.Errorf("at the limit: %v", err)
	}
	if _, _, err := DecodeEmail(body(146), limits); !errors.As(err, &e) || e.Code != message.CodeBodyTooLarge {
		t.Errorf("1 byte over: %v", err)
	}
	if got := BodyLimit(message.DefaultLimits()); got != 58<<20 {
		t.Errorf("the default limit is %d", got)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestReadErrorIsPassedOn(t *testing.T) {
	if _, _, err := ReadEmail(brokenReader{os.ErrDeadlineExceeded}, message.DefaultLimits(), now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
