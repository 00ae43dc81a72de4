package message

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The sizes of an address (RFC 5321, 4.5.3.1; RFC 1035, 2.3.4), in bytes.
const (
	maxLocal   = 64
	maxDomain  = 253
	maxAddress = 254
	maxLabelOf = 63
	maxName    = 256
)

// String writes the address as ParseAddress reads it: a@example.com, or
// Name <a@example.com> with the name in quotes where it needs them.
func (a Address) String() string {
	if a.Name == "" {
		return a.Email
	}
	if !strings.ContainsFunc(a.Name, needsQuotes) && !strings.Contains(a.Name, "=?") && strings.TrimSpace(a.Name) == a.Name {
		return a.Name + " <" + a.Email + ">"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Name) + `" <` + a.Email + ">"
}

// ParseAddress reads one address, a@example.com or Name <a@example.com>. It is
// much stricter than RFC 5322, on purpose: what mail software reads in two ways
// is what attackers write. Refused are quoted local parts, comments, folding,
// domain literals, domains without a dot, groups and lists, and every control,
// invisible or direction-changing character. A name with any of ()<>[]:;@\,"
// stands in double quotes. The domain comes out in lower case and, where it is
// international, as xn-- (IDNA 2008); only the local part may hold UTF-8.
func ParseAddress(s string) (Address, error) {
	if !utf8.ValidString(s) {
		return Address{}, addressError("must be valid UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return Address{}, addressError("must not contain line breaks or other control characters")
	}
	s = strings.Trim(s, " ")
	if !strings.HasSuffix(s, ">") {
		email, err := parseMailbox(s)
		return Address{Email: email}, err
	}
	open := strings.LastIndexByte(s, '<')
	if open < 0 {
		return Address{}, addressError("has > without <")
	}
	name, err := parseName(strings.Trim(s[:open], " "))
	if err != nil {
		return Address{}, err
	}
	email, err := parseMailbox(s[open+1 : len(s)-1])
	return Address{Name: name, Email: email}, err
}

// addressError says what is wrong with an address; it never repeats it.
type addressError string

func (e addressError) Error() string { return string(e) }

func parseName(s string) (string, error) {
	if strings.HasPrefix(s, `"`) {
		var err error
		if s, err = unquote(s); err != nil {
			return "", err
		}
	} else if strings.ContainsFunc(s, needsQuotes) {
		return "", addressError(`must be one address; a name with any of ()<>[]:;@\," stands in double quotes`)
	} else if strings.Contains(s, "=?") {
		return "", addressError("must have its name as plain text, not as encoded words")
	}
	switch {
	case len(s) > maxName:
		return "", addressError(fmt.Sprintf("must have a name of at most %d bytes", maxName))
	case strings.ContainsFunc(s, turnsText):
		return "", addressError("must not have characters in its name that change the direction of text")
	}
	return s, nil
}

// unquote reads a quoted string that is nothing else.
func unquote(s string) (string, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"' && i == len(s)-1:
			return strings.Trim(b.String(), " "), nil
		case s[i] == '"':
			return "", addressError("must have nothing between the quoted name and <")
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", addressError("must close the quotes around its name")
}

func needsQuotes(r rune) bool { return strings.ContainsRune(`()<>[]:;@\,"`, r) }

// turnsText are the embeddings, overrides and isolates of Unicode's
// bidirectional algorithm: they make a name read as another. The plain marks
// that Arabic and Hebrew text needs are not among them.
func turnsText(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// parseMailbox reads local@domain.
func parseMailbox(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", addressError("must have the form name@example.com")
	}
	local := s[:at]
	if err := checkLocal(local); err != nil {
		return "", err
	}
	domain, err := parseDomain(s[at+1:])
	if err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > maxAddress {
		return "", addressError(fmt.Sprintf("must be at most %d bytes", maxAddress))
	}
	return local + "@" + domain, nil
}

// checkLocal allows a dot-atom (RFC 5322, 3.2.3) in which UTF-8 stands for
// itself (RFC 6531, 3.3).
func checkLocal(local string) error {
	switch {
	case local == "":
		return addressError("must have something before the @")
	case len(local) > maxLocal:
		return addressError(fmt.Sprintf("must have at most %d bytes before the @", maxLocal))
	case strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, ".."):
		return addressError("must not have a dot first, last or next to another before the @")
	case strings.HasPrefix(local, `"`):
		return addressError("must not have quotes before the @")
	}
	for _, r := range local {
		if !localRune(r) {
			return addressError(fmt.Sprintf("must not have %s before the @", strconv.QuoteRuneToASCII(r)))
		}
	}
	return nil
}

func localRune(r rune) bool {
	if r < utf8.RuneSelf {
		return asciiLetterOrDigit(r) || r != 0 && strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
	}
	return visible(r)
}

// visible reports whether a character beyond ASCII can be seen and is not made
// to be mistaken for an ASCII one: letters, marks, digits, symbols, but no
// blanks, no formatting, and none of the fullwidth forms, whose @ and dot some
// software folds into the real ones.
func visible(r rune) bool {
	if r >= 0xff00 && r <= 0xffef || r == '\ufe6b' || r == utf8.RuneError {
		return false
	}
	return unicode.IsGraphic(r) && !unicode.IsSpace(r)
}
