package mailcatch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzMail takes mails apart in every way the inbox does: nothing may panic,
// and what leaves stays within its limits.
func FuzzMail(f *testing.F) {
	files, err := filepath.Glob("testdata/mails/*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
		f.Add(strings.ReplaceAll(string(b), "\n", "\r\n"))
	}
	clean := newSanitizer()
	f.Fuzz(func(t *testing.T, raw string) {
		m := newMail(envelope{from: raw, to: []string{raw}}, raw)
		if strings.ContainsAny(m.subject+m.sender, "\r\n\x00\u202e") {
			t.Errorf("line of the list: %q %q", m.subject, m.sender)
		}
		if _, err := json.Marshal(newHogMessage(m)); err != nil {
			t.Errorf("JSON: %v", err)
		}
		v := newView(raw)
		if len(v.text) > maxText {
			t.Errorf("text of %d bytes", len(v.text))
		}
		for _, file := range v.files {
			if file.name == "" || strings.ContainsAny(file.name, "/\\\r\n\"") {
				t.Errorf("file name %q", file.name)
			}
		}
		if out := strings.ToLower(clean.Sanitize(v.html)); strings.Contains(out, "<script") {
			t.Errorf("script in %q", out)
		}
	})
}

func TestSearchAcrossWindows(t *testing.T) {
	text := strings.Repeat("x", searchWindow-3) + "NeEdLe" + strings.Repeat("ẞ", searchWindow)
	for query, want := range map[string]bool{"needle": true, "xneedleß": true, "needles": false, "ßß": true} {
		if got := containsFold(text, query); got != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	kelvins := strings.Repeat("x", searchWindow-1) + strings.Repeat("\u212a", 9) + strings.Repeat("x", searchWindow)
	if !containsFold(kelvins, "x"+strings.Repeat("k", 9)+"x") {
		t.Error("a text that grows shorter by lower case is not found")
	}
}

func TestReadAllHoldsWhatItReads(t *testing.T) {
	box := newMailbox(1, 100_000)
	for _, expected := range []int64{0, 10, 50_000, 90_000, 200_000} {
		hold := box.reservation()
		content := bytes.Repeat([]byte("x"), 50_000)
		raw, err := readAll(iotest.HalfReader(bytes.NewReader(content)), hold, expected)
		if err != nil || raw != string(content) {
			t.Fatalf("expecting %d: %d bytes, %v", expected, len(raw), err)
		}
		if box.arriving < 50_000 || box.arriving > 100_000 {
			t.Errorf("expecting %d: %d bytes reserved", expected, box.arriving)
		}
		hold.release()
	}
	if box.arriving != 0 {
		t.Errorf("%d bytes still reserved", box.arriving)
	}
}
