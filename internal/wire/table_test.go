package wire

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCellsAreNoFormulas(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "plain": "plain", "a=b": "a=b", "a-b@c+d": "a-b@c+d", "5 - 3": "5 - 3", "10 % off, -5 €": "10 % off, -5 €",
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx",
		" =1": " '=1", `"=1"`: `"'=1"`, `""" =1`: `""" '=1`, "'=1": "''=1", "\u00a0-1": "\u00a0'-1", "\u200b+1": "\u200b'+1", "\ufeff=1": "\ufeff'=1",
		"＝1": "'＝1", "＠x": "'＠x", "−1": "'−1",
		"a;=1": "a;'=1", "a; \"=1": "a; \"'=1", "a;b;-1": "a;b;'-1", "a\n=1": "a\n'=1", "a\t@x": "a\t'@x", "\x1b[2J": "\ufffd[2J", "==": "'==", "=;=": "'=;'=",
	} {
		if got := inert(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
}

// FuzzInert holds cells to what spreadsheets do: they part a line at their
// separator, drop blanks and quotes, and look at the first character.
func FuzzInert(f *testing.F) {
	for _, cell := range []string{"=1", " \"+1", "a;-1", "\t@x", "plain", "\x00=", "a\r\n=b"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		safe := inert(cell)
		for part := range strings.FieldsFuncSeq(safe, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			bare := strings.TrimLeft(part, "\" \u00a0\u200b\ufeff\x00\v\f")
			if strings.HasPrefix(bare, "=") || strings.HasPrefix(bare, "+") || strings.HasPrefix(bare, "-") || strings.HasPrefix(bare, "@") {
				t.Fatalf("%q became %q, a formula in %q", cell, safe, part)
			}
		}
		same := func(s string) string {
			return strings.Map(func(r rune) rune {
				switch {
				case r == '\'':
					return -1
				case unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r):
					return utf8.RuneError
				}
				return r
			}, s)
		}
		if same(safe) != same(cell) {
			t.Fatalf("%q lost something: %q", cell, safe)
		}
	})
}
