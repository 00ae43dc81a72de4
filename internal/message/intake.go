package message

import (
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// Enqueued is an email that a caller's own transaction left in the intake.
type Enqueued struct {
	ID       uuid.UUID // the message's; the caller knows it already
	TenantID int64
	Email    []byte    // JSON, as POST /v1/emails takes it
	At       time.Time // database time of the call
}

// Reading is what the validator makes of an Enqueued. Message is the message,
// without ID and tenant, or with Refused what can be shown of it: see
// Limits.Refused.
type Reading struct {
	Message *Message
	Hash    [32]byte // as in Submission
	Refused *Error   // nil: it is valid
}

// TakenIn is what became of an Enqueued: a message that is to be delivered, or one
// that has failed with ReasonInvalid.
type TakenIn struct {
	ID         uuid.UUID
	TenantID   int64
	Lane       Lane
	Recipients int
	Refused    *Error // nil: it is to be delivered
}

// IntakeLook is what one look at the intake came to.
type IntakeLook struct {
	Taken []TakenIn
	// Last is the last of those looked at, also where it stayed; zero: none was.
	Last uuid.UUID
}

// Waiting is what waits in the intake.
type Waiting struct {
	Rows   int64         // counted up to 100,000
	Oldest time.Duration // how long the oldest has waited; 0: none does
}

const (
	shownPeople  = 50  // of each field of a refused draft
	shownAddress = 254 // bytes
	shownSubject = 998
)

// Refused is what is kept of a draft that Validate refuses, to be shown and never
// sent: who it was from and for, as it was written, and what it was about. Control
// characters are replaced and what is long is cut. Tags and metadata are kept where
// they are right. A draft without recipients gets one whose address is empty, so
// that its failure stands somewhere.
func (l Limits) Refused(d *Draft) *Message {
	v := &validator{limits: l}
	m := &Message{Kind: ChannelEmail, Lane: LaneNormal, OnUnknown: Resend}
	if Lane(d.Lane).Valid() {
		m.Lane = Lane(d.Lane)
	}
	m.Head = Head{
		From: asWritten(d.From), To: allAsWritten(d.To), Cc: allAsWritten(d.Cc), Bcc: allAsWritten(d.Bcc),
		ReplyTo: allAsWritten(d.ReplyTo), Subject: harmless(d.Subject, shownSubject),
	}
	if tags := v.tags(d.Tags); v.faults.Err() == nil {
		m.Head.Tags = tags
	}
	v.faults = Faults{}
	if metadata := v.metadata(d.Metadata); v.faults.Err() == nil {
		m.Head.Metadata = metadata
	}
	if len(m.Recipients()) == 0 {
		m.Head.To = []Address{{}}
	}
	return m
}

func allAsWritten(list []string) []Address {
	var shown []Address
	for _, s := range list[:min(len(list), shownPeople)] {
		shown = append(shown, asWritten(s))
	}
	return shown
}

func asWritten(s string) Address {
	if a, err := ParseAddress(s); err == nil {
		return a
	}
	return Address{Email: harmless(s, shownAddress)}
}

// harmless is text of a stranger that a list can show.
func harmless(s string, most int) string {
	return cut(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || turnsText(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")), most)
}
