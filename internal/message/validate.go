package message

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// NewID returns a fresh message id: a UUIDv7 (RFC 9562), so that ids sort by
// the time they were made. Safe for concurrent use.
func NewID() uuid.UUID {
	// The only error is a failing source of randomness, for which crypto/rand
	// ends the process by itself.
	return uuid.Must(uuid.NewV7())
}

// Validate turns what a caller asks for into a message, or refuses it with an
// *Error of CodeValidation that names every fault at once. HTTP, the command
// line and batches all pass through here, and nothing else makes a Message.
//
// It normalises: addresses are parsed and their domains are lower case ASCII
// (xn--), a time in the past is now, times are UTC milliseconds, filenames have
// no folders. No string that ends up in the mail's header or envelope holds a
// control character that could end a line.
//
// ID, TenantID, Trace and CreatedAt are left for others to set. The message
// shares the draft's memory: attachments are not copied.
func (l Limits) Validate(d *Draft, now time.Time) (*Message, error) {
	return l.validate(d, now, false)
}

// Precheck finds what is wrong with a draft that names a template, which may
// give what the draft leaves out. What it does not refuse still has to pass
// Validate once the template is rendered.
func (l Limits) Precheck(d *Draft, now time.Time) error {
	_, err := l.validate(d, now, d.Template != nil)
	return err
}

func (l Limits) validate(d *Draft, now time.Time, templated bool) (*Message, error) {
	v := &validator{limits: l, now: now, templated: templated}
	m := &Message{Kind: ChannelEmail}
	if d.Template != nil && !templated { // it would be left out in silence
		v.fault("/template", CodeUnsupportedField, "must be rendered first")
	}
	v.people(d, &m.Head)
	m.Head.Subject = v.subject(d.Subject)
	m.Content = v.content(d)
	m.Head.Headers = v.headers(d.Headers)
	m.Attachments = v.attachments(d.Attachments)
	m.Head.Tags = v.tags(d.Tags)
	m.Head.Metadata = v.metadata(d.Metadata)
	m.Lane, m.OnUnknown = v.lane(d.Lane), v.onUnknown(d.OnUnknown)
	m.ScheduledAt, m.ExpiresAt = v.times(d.ScheduledAt, d.ExpiresAt)
	v.size(m)
	if err := v.faults.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// validator collects the faults of one draft.
type validator struct {
	limits    Limits
	now       time.Time
	templated bool // sender, subject and body may come from a template
	faults    Faults
}

func (v *validator) fault(pointer string, code Code, detail string) {
	v.faults.Add(pointer, code, detail)
}

// plain reports whether s can be stored and sent at all, and faults it if not:
// a Postgres text holds no NUL, and nothing is repaired that is not UTF-8.
func (v *validator) plain(pointer, s string) bool {
	if strings.IndexByte(s, 0) >= 0 {
		v.fault(pointer, CodeInvalidField, "must not contain NUL")
		return false
	}
	if !utf8.ValidString(s) {
		v.fault(pointer, CodeInvalidField, "must be valid UTF-8")
		return false
	}
	return true
}

func (v *validator) subject(s string) string {
	const pointer = "/subject"
	switch {
	case !v.plain(pointer, s):
	case strings.ContainsAny(s, "\r\n"):
		v.fault(pointer, CodeInvalidHeader, "must be one line, without CR and LF")
	case len(s) > v.limits.HeaderBytes:
		v.fault(pointer, CodeHeaderTooLarge, fmt.Sprintf("must be at most %d bytes", v.limits.HeaderBytes))
	}
	return s
}

func (v *validator) content(d *Draft) Content {
	v.plain("/html", d.HTML)
	v.plain("/text", d.Text)
	if v.templated {
		v.noContent(d)
		return Content{}
	}
	if strings.TrimSpace(d.HTML) == "" && strings.TrimSpace(d.Text) == "" {
		v.fault("/text", CodeEmptyBody, "give text, html or both, with something in it")
	}
	if n := len(d.HTML) + len(d.Text); n > v.limits.BodyBytes {
		v.fault("", CodeMessageTooLarge, fmt.Sprintf("text and html together are %d bytes, more than %d", n, v.limits.BodyBytes))
	}
	return Content{HTML: d.HTML, Text: d.Text}
}

// noContent refuses a body beside a template: one of them would be left out.
func (v *validator) noContent(d *Draft) {
	for _, body := range []struct{ pointer, text string }{{"/html", d.HTML}, {"/text", d.Text}} {
		if body.text != "" {
			v.fault(body.pointer, CodeInvalidField, "must be left out where a template is given")
		}
	}
}

func (v *validator) lane(s string) Lane {
	if s == "" {
		return LaneNormal
	}
	if !Lane(s).Valid() {
		v.fault("/lane", CodeInvalidField, "must be critical, high, normal or low")
	}
	return Lane(s)
}

func (v *validator) onUnknown(s string) OnUnknown {
	switch OnUnknown(s) {
	case "", Resend:
		return Resend
	case Hold:
		return Hold
	}
	v.fault("/on_unknown", CodeInvalidField, "must be resend or hold")
	return ""
}

// size bounds what one message may weigh in memory, in the store and on the
// wire before encoding.
func (v *validator) size(m *Message) {
	total := m.Bytes()
	if total > v.limits.MessageBytes {
		v.fault("", CodeMessageTooLarge, fmt.Sprintf(
			"text, html, headers and attachments together are %d bytes, more than %d", total, v.limits.MessageBytes))
	}
}

// Bytes is what limits count: text, HTML, subject, headers and attachments,
// decoded.
func (m *Message) Bytes() int {
	total := len(m.Content.HTML) + len(m.Content.Text) + len(m.Head.Subject)
	for _, h := range m.Head.Headers {
		total += len(h.Name) + len(h.Value)
	}
	for i := range m.Attachments {
		total += len(m.Attachments[i].Data)
	}
	return total
}
