package wire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// DryRun is what a post would have come to.
type DryRun struct {
	Object          string            `json:"object"` // always "dry_run"
	Status          message.Status    `json:"status"`
	ScheduledAt     Time              `json:"scheduled_at"`
	ExpiresAt       Time              `json:"expires_at"`
	Lane            message.Lane      `json:"lane"`
	OnUnknown       message.OnUnknown `json:"on_unknown"`
	From            string            `json:"from"`
	Subject         string            `json:"subject"`
	Recipients      []DryRecipient    `json:"recipients"`
	Size            int64             `json:"size"`    // of the mail, in bytes
	Content         string            `json:"content"` // its beginning
	ContentComplete bool              `json:"content_complete"`
	Warnings        []Warning         `json:"warnings"`
}

// DryRecipient is one address that would get a mail.
type DryRecipient struct {
	Address   string       `json:"address"`
	Role      message.Role `json:"role"`
	Simulated bool         `json:"simulated"` // no relay host would see it
}

// Warning is something that is allowed, and seldom meant.
type Warning struct {
	Code   string `json:"code"` // never changes its meaning
	Detail string `json:"detail"`
}

// Preview is what a mail would look like on the wire.
type Preview struct {
	Size  int64
	UTF8  bool   // its header holds addresses in UTF-8
	Start string // as much of it as is shown
}

// NewDryRun tells what the draft, which was found valid as m, would come to.
func NewDryRun(m *message.Message, d *message.Draft, p Preview) DryRun {
	run := DryRun{
		Object: "dry_run", Status: message.StatusQueued, ScheduledAt: Time{m.ScheduledAt}, ExpiresAt: Time{m.ExpiresAt},
		Lane: m.Lane, OnUnknown: m.OnUnknown, From: m.Head.From.String(), Subject: m.Head.Subject, Size: p.Size,
		Content: strings.ToValidUTF8(p.Start, ""), ContentComplete: int64(len(p.Start)) == p.Size, Recipients: []DryRecipient{},
	}
	if !m.ScheduledAt.IsZero() {
		run.Status = message.StatusScheduled
	}
	for _, r := range m.Recipients() {
		_, simulated := message.Simulated(r.Address)
		run.Recipients = append(run.Recipients, DryRecipient{Address: r.Address, Role: r.Role, Simulated: simulated})
	}
	run.Warnings = run.warnings(m, d, p)
	return run
}

// largeMail is what many hosts refuse, in bytes of the encoded mail.
const largeMail = 10 << 20

func (run *DryRun) warnings(m *message.Message, d *message.Draft, p Preview) []Warning {
	list := []Warning{}
	warn := func(really bool, code, detail string) {
		if really {
			list = append(list, Warning{code, detail})
		}
	}
	posted := len(m.Head.To) + len(m.Head.Cc) + len(m.Head.Bcc)
	warn(posted > len(run.Recipients), "duplicate_recipient", "an address stands there more than once: it gets one mail")
	warn(slices.ContainsFunc(run.Recipients, func(r DryRecipient) bool { return r.Simulated }), "simulated",
		"mail to "+message.SimulatorDomain+" goes to no relay host")
	warn(strings.TrimSpace(m.Head.Subject) == "", "no_subject", "the mail has no subject")
	warn(strings.TrimSpace(m.Content.Text) == "", "no_text", "the mail has no plain text beside its HTML; some readers show none, and filters count it against the sender")
	warn(d.ScheduledAt != "" && m.ScheduledAt.IsZero(), "past_scheduled_at", "scheduled_at is past: it would be sent at once")
	warn(p.Size > largeMail, "large", fmt.Sprintf("the mail has %d bytes, and many hosts take no more than 10 or 20 MB", p.Size))
	warn(p.UTF8 || slices.ContainsFunc(run.Recipients, func(r DryRecipient) bool { return !ascii(r.Address) }), "needs_smtputf8",
		"an address is not ASCII: it fails where the relay host does not offer SMTPUTF8")
	return list
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
