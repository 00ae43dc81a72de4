package render

import (
	"bytes"
	"encoding/base64"
	"iter"
	"mime"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/message"
)

const (
	foldAt  = 76  // RFC 2047, 2: lines that hold encoded-words
	maxWord = 900 // longer words leave no room within the 998 of RFC 5322, 2.1.1

	maxAddress = 320 // RFC 5321, 4.5.3.1: 64 and 255 bytes
)

// header writes the fields of the message itself; those of its content follow
// from body.
func (c *composer) header(m *message.Message) error {
	if m.CreatedAt.IsZero() {
		return errNoTime
	}
	h := &m.Head
	raw := needsUTF8(h)
	c.addresses("From", []message.Address{h.From}, raw)
	c.addresses("To", h.To, raw)
	c.addresses("Cc", h.Cc, raw)
	if len(h.To)+len(h.Cc) == 0 {
		c.field("To", "undisclosed-recipients:;")
	}
	c.addresses("Reply-To", h.ReplyTo, raw)
	if h.Subject != "" {
		c.check("Subject", h.Subject)
		c.field("Subject", encodeText(strings.Trim(h.Subject, " \t")))
	}
	c.field("Date", m.CreatedAt.UTC().Format(time.RFC1123Z))
	c.field("Message-ID", m.HeaderID())
	for _, custom := range h.Headers {
		c.custom(custom)
	}
	c.field("MIME-Version", "1.0")
	return c.err
}

// needsUTF8 reports whether the header must hold raw UTF-8. From and Reply-To
// must be usable or the mail is worthless; To and Cc are only shown, so a UTF-8
// address among them does not keep the others from their mail (see shown).
func needsUTF8(h *message.Head) bool {
	for _, a := range append([]message.Address{h.From}, h.ReplyTo...) {
		if !isASCII(a.Email) {
			return true
		}
	}
	return false
}

func (c *composer) addresses(field string, list []message.Address, raw bool) {
	if len(list) == 0 {
		return
	}
	all := make([]string, len(list))
	for i, a := range list {
		c.check(field, a.Name)
		c.checkAddress(field, a.Email)
		all[i] = shown(a, raw)
	}
	c.field(field, strings.Join(all, ", "))
}

// shown is an address as it stands in the header. Without raw UTF-8, an address
// that needs it becomes an empty group that carries it as its name, as RFC 6857,
// 3.1.8 does.
func shown(a message.Address, raw bool) string {
	if !raw && !isASCII(a.Email) {
		return mime.BEncoding.Encode("utf-8", strings.TrimSpace(a.Name+" "+a.Email)) + " :;"
	}
	if len(a.Name) > maxWord && isASCII(a.Name) {
		return encodeASCII(a.Name) + " <" + a.Email + ">"
	}
	return (&mail.Address{Name: a.Name, Address: a.Email}).String()
}

// custom writes a field the caller gave. Those that this package writes itself
// would stand twice, and a Bcc would tell.
func (c *composer) custom(h message.Header) {
	if !isFieldName(h.Name) {
		c.fail("header name", "holds characters that are not allowed")
		return
	}
	name := strings.ToLower(h.Name)
	switch name {
	case "from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version":
		c.fail("header "+h.Name, "is not the caller's to set")
	default:
		if strings.HasPrefix(name, "content-") {
			c.fail("header "+h.Name, "is not the caller's to set")
		}
	}
	c.check(h.Name, h.Value)
	value := strings.Trim(h.Value, " \t")
	if !isASCII(value) || longestWord(value) > maxWord {
		value = encodeText(value) // else it may be structured, or encoded by the caller
	}
	c.field(h.Name, value)
}

// isFieldName follows RFC 5322, 3.6.8.
func isFieldName(s string) bool {
	for _, b := range []byte(s) {
		if b <= ' ' || b >= 0x7f || b == ':' {
			return false
		}
	}
	return s != ""
}

// field writes a field whose value is ready, folded between its words.
func (c *composer) field(name, value string) {
	fold(&c.buf, name, words(" "+value))
}

// encodeText leaves plain text as it is. ASCII is encoded too where it would be
// read as an encoded-word, cannot be folded, or would lose blanks by folding.
func encodeText(s string) string {
	if isASCII(s) && (strings.Contains(s, "=?") || strings.Contains(s, "  ") || longestWord(s) > maxWord) {
		return encodeASCII(s)
	}
	q, b := mime.QEncoding.Encode("utf-8", s), mime.BEncoding.Encode("utf-8", s)
	if len(b) < len(q) {
		return b
	}
	return q
}

// encodeASCII makes encoded-words of text that mime.WordEncoder would leave.
func encodeASCII(s string) string {
	const most = 45 // bytes that become a word of 72 characters
	var words []string
	for len(s) > 0 {
		n := min(most, len(s))
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

func longestWord(s string) int {
	longest := 0
	for w := range words(s) {
		longest = max(longest, len(w))
	}
	return longest
}

// fold writes a field, breaking lines before words, which begin with white
// space: so unfolding gives the value back exactly. A word longer than a line
// stands alone on one.
func fold(buf *bytes.Buffer, name string, words iter.Seq[string]) {
	buf.WriteString(name + ":")
	used := len(name) + 1
	for w := range words {
		if used > 0 && used+len(w) > foldAt {
			buf.WriteString("\r\n")
			used = 0
		}
		buf.WriteString(w)
		used += len(w)
	}
	buf.WriteString("\r\n")
}

// words cuts a value before each run of white space.
func words(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s != "" {
			white := len(s) - len(strings.TrimLeft(s, " \t"))
			n := len(s)
			if end := strings.IndexAny(s[white:], " \t"); end >= 0 {
				n = white + end
			}
			if !yield(s[:n]) {
				return
			}
			s = s[n:]
		}
	}
}

// check refuses what could end a field or the header, and text that is none.
func (c *composer) check(field, value string) {
	if strings.ContainsAny(value, "\r\n\x00") {
		c.fail(field, "holds a line break or NUL")
	}
	if !utf8.ValidString(value) {
		c.fail(field, "is not UTF-8")
	}
}

func (c *composer) checkAddress(field, email string) {
	at := strings.LastIndexByte(email, '@')
	if len(email) > maxAddress || at < 1 || at == len(email)-1 || !isASCII(email[at:]) || strings.ContainsFunc(email, notInAddress) || !utf8.ValidString(email) {
		c.fail(field, "holds an address that is none")
	}
}

func notInAddress(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>,;\"", r) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
