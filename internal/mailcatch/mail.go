package mailcatch

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// Limits on what is read of a header block; the raw mail always has all.
const (
	maxFields      = 2000
	maxHeaderBytes = 1 << 20
	maxShown       = 300 // runes of a value in the list
)

// envelope is what the client said beside the mail itself.
type envelope struct {
	helo, from string
	to         []string
}

// mail is one stored mail, immutable.
type mail struct {
	envelope
	id      string
	at      time.Time
	raw     string // as received, dots unstuffed
	subject string // decoded and made harmless, for the list
	sender  string // likewise
}

func newMail(e envelope, raw string) *mail {
	m := &mail{envelope: e, id: rand.Text() + "@inbox.localhost", at: time.Now(), raw: raw}
	head, _ := split(raw)
	fields := parseFields(head)
	m.subject = shown(first(fields, "Subject"))
	m.sender = shown(first(fields, "From"))
	if m.sender == "" {
		m.sender = shown(e.from)
	}
	return m
}

func (m *mail) size() int64 { return int64(len(m.raw)) }

// weight is what the mail takes of the mailbox's memory.
func (m *mail) weight() int64 {
	n := len(m.raw) + len(m.helo) + len(m.from)
	for _, to := range m.to {
		n += len(to)
	}
	return int64(n)
}

// field is one header field, its value unfolded but not decoded.
type field struct{ Name, Value string }

// split cuts a mail or a part at the empty line between header and body. A
// mail that has none is all body, as MailHog has it. Bare line feeds count as
// line ends: that is what some clients send.
func split(raw string) (head, body string) {
	at, length := strings.Index(raw, "\r\n\r\n"), 4
	if bare := strings.Index(raw, "\n\n"); bare >= 0 && (at < 0 || bare < at) {
		at, length = bare, 2
	}
	if at < 0 {
		return "", raw
	}
	return raw[:at], raw[at+length:]
}

// parseFields reads a header block in its order. Lines that are no fields are
// passed over: what a broken mail says there is for the source view.
func parseFields(head string) []field {
	head = head[:min(len(head), maxHeaderBytes)]
	var fields []field
	var folded []string // of the last field
	flush := func() {
		if len(folded) > 1 {
			fields[len(fields)-1].Value = strings.Join(folded, "")
		}
		folded = nil
	}
	for line := range strings.SplitSeq(head, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if folded != nil && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			folded = append(folded, line)
			continue
		}
		flush()
		name, value, ok := strings.Cut(line, ":")
		if !ok || len(fields) == maxFields {
			continue
		}
		value = strings.TrimPrefix(value, " ")
		fields = append(fields, field{Name: name, Value: value})
		folded = []string{value}
	}
	flush()
	return fields
}

func first(fields []field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// shown decodes a header value and makes it fit for a line of the page.
func shown(value string) string {
	return shorten(decoded(value[:min(len(value), 16*maxShown)]), maxShown)
}

// decoded is a header value as a reader sees it, RFC 2047 undone.
func decoded(value string) string { return harmless(enmime.DecodeRFC2047(value)) }

// harmless replaces what would change the look of text around it: control
// characters, and the Unicode marks that embed, override or isolate direction
// (by which a name ending in gpj.exe reads exe.jpg).
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029, r == 0xfeff:
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func shorten(s string, runes int) string {
	n := 0
	for at := range s {
		if n == runes {
			return s[:at] + "…"
		}
		n++
	}
	return s
}
