package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxParam is how much of a parameter's value stands on one line.
const maxParam = 54

// param is a parameter of a header field: a quoted string where ASCII allows,
// else percent-encoded UTF-8, in numbered sections where it is long (RFC 2231, 3
// and 4). An empty value is no parameter.
func param(name, value string) []string {
	if value == "" {
		return nil
	}
	if isPrintable(value) && len(value) <= maxParam {
		return []string{fmt.Sprintf(`%s="%s"`, name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))}
	}
	sections := percentEncode(value)
	if len(sections) == 1 {
		return []string{fmt.Sprintf("%s*=utf-8''%s", name, sections[0])}
	}
	charset := "utf-8''"
	for i, s := range sections {
		sections[i] = fmt.Sprintf("%s*%d*=%s%s", name, i, charset, s)
		charset = ""
	}
	return sections
}

// params writes a field of parameters, folded between them and never inside
// one: readers disagree about a folded quoted string.
func (c *composer) params(name string, parts []string) {
	for i := range parts {
		parts[i] = " " + parts[i]
		if i < len(parts)-1 {
			parts[i] += ";"
		}
	}
	fold(&c.buf, name, slices.Values(parts))
}

func isPrintable(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b >= 0x7f {
			return false
		}
	}
	return true
}

// percentEncode cuts between characters only: some readers decode each section
// by itself.
func percentEncode(s string) []string {
	var sections []string
	var b strings.Builder
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		char := percent(s[:n])
		if b.Len()+len(char) > maxParam {
			sections = append(sections, b.String())
			b.Reset()
		}
		b.WriteString(char)
		s = s[n:]
	}
	return append(sections, b.String())
}

// percent leaves what RFC 2231 calls attribute-char.
func percent(char string) string {
	if c := char[0]; len(char) == 1 && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-._", c) >= 0) {
		return char
	}
	var b strings.Builder
	for _, c := range []byte(char) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
