package message

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Filter selects messages for a list: those to which everything applies that is
// not zero. Pages go by id, newest first.
type Filter struct {
	TenantID      int64
	Status        Status // has a recipient in this shown status
	Lane          Lane
	Recipient     string            // one of to, cc and bcc, compared as Recipients does
	Subject       string            // stands in the subject, whatever the case of letters
	Tag           Tag               // has a tag of this name; with a value, of both
	Metadata      map[string]string // has all of these
	Template      uuid.UUID         // was made from this template, in any version
	CreatedAfter  time.Time         // the id was made in this millisecond or later
	CreatedBefore time.Time         // the id was made before this millisecond
	After         uuid.UUID         // only older than this id; uuid.Nil: from the newest
	Before        uuid.UUID         // only newer than this id; the page next to it
	Limit         int               // 1 to 100
}

// Page is one page of a list. HasMore says that the search goes on at Next: an
// id to be given as After or, where the page was asked for by Before, as Before.
// There may be fewer views than the limit then, or none.
type Page struct {
	Views   []View // without content, attachments and attempts
	HasMore bool
	Next    uuid.UUID
}

// Upwards reports whether the page is the one next to a newer id: it is searched
// from its older end.
func (f *Filter) Upwards() bool { return f.Before != uuid.Nil }

// Ends are the ids between which, both excluded, the page lies.
func (f *Filter) Ends() (older, newer uuid.UUID) {
	older, newer = f.Before, f.After
	if newer == uuid.Nil {
		newer = uuid.Max
	}
	if !f.CreatedAfter.IsZero() {
		older = laterID(older, FirstID(f.CreatedAfter))
	}
	if until := FirstID(f.CreatedBefore); !f.CreatedBefore.IsZero() && laterID(newer, until) == newer {
		newer = until
	}
	return older, newer
}

// FirstID is less than every UUIDv7 (RFC 9562, 5.7) of the millisecond, and more than those
// before it: version and variant, which follow the time, are no zeros in them.
func FirstID(t time.Time) uuid.UUID {
	var id uuid.UUID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	return id
}

func laterID(a, b uuid.UUID) uuid.UUID {
	if strings.Compare(string(a[:]), string(b[:])) >= 0 {
		return a
	}
	return b
}

// Narrows reports whether Matches refuses anything.
func (f *Filter) Narrows() bool {
	return f.Lane != "" || f.Recipient != "" || f.Subject != "" || f.Tag.Name != "" || len(f.Metadata) > 0 ||
		f.Template != uuid.Nil
}

// Matches reports whether the filter selects a message by what was posted. Ends
// decides by its id, and its deliveries have the status.
func (f *Filter) Matches(m *Message) bool {
	return (f.Lane == "" || f.Lane == m.Lane) &&
		(f.Recipient == "" || hasRecipient(&m.Head, foldAddress(f.Recipient))) &&
		(f.Subject == "" || strings.Contains(foldText(m.Head.Subject), foldText(f.Subject))) &&
		(f.Tag.Name == "" || hasTag(m.Head.Tags, f.Tag)) &&
		(f.Template == uuid.Nil || m.Head.Template != nil && m.Head.Template.ID == f.Template) &&
		hasMetadata(m.Head.Metadata, f.Metadata)
}

func hasRecipient(h *Head, folded string) bool {
	for _, list := range [][]Address{h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			if foldAddress(a.Email) == folded {
				return true
			}
		}
	}
	return false
}

func hasTag(tags []Tag, want Tag) bool {
	for _, t := range tags {
		if t.Name == want.Name && (want.Value == "" || t.Value == want.Value) {
			return true
		}
	}
	return false
}

func hasMetadata(data, want map[string]string) bool {
	for key, value := range want {
		if got, ok := data[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// Traces are texts that stand, once its ASCII letters are in lower case, in the
// JSON of the head of every message that matches. A store need not look closer
// at a head that lacks one; a head that has them all may still not match.
func (f *Filter) Traces() []string {
	var traces []string
	add := func(text string) {
		if text != "" {
			traces = append(traces, text)
		}
	}
	if f.Recipient != "" {
		add(traceOf(f.Recipient))
	}
	add(plainRun(foldText(f.Subject)))
	if f.Tag.Name != "" {
		add(traceOf(f.Tag.Name))
	}
	if f.Tag.Value != "" {
		add(traceOf(f.Tag.Value))
	}
	if f.Template != uuid.Nil {
		add(traceOf(f.Template.String()))
	}
	for _, key := range sortedKeys(f.Metadata) {
		add(traceOf(key) + ":" + traceOf(f.Metadata[key]))
	}
	return traces
}

// traceOf is a string as encoding/json writes it, in quotes.
func traceOf(s string) string {
	text, _ := json.Marshal(s) // a string does not fail
	return foldAddress(string(text))
}

// plainRun is the longest part of folded text that JSON writes as it is. No
// character beyond ASCII is folded into it, nor it into one.
func plainRun(folded string) string {
	longest := ""
	for _, run := range strings.FieldsFunc(folded, func(r rune) bool {
		return r < ' ' || r >= utf8.RuneSelf || strings.ContainsRune(`"\<>&`, r)
	}) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	return longest
}

// foldText is text for which letters are the same in either case: by Unicode's
// simple lower case, character by character, so that ß is not ss and a letter
// with its accent as a second character is not the one that has it. The few
// characters whose lower case is an ASCII letter, such as the Kelvin sign, stay
// what they are: stores look for the ASCII of a text before they fold the rest.
func foldText(s string) string {
	return strings.Map(func(r rune) rune {
		if lower := unicode.ToLower(r); r < utf8.RuneSelf || lower >= utf8.RuneSelf {
			return lower
		}
		return r
	}, s)
}
