package message

import "slices"

// Channel is the kind of transport a delivery takes.
type Channel string

// ChannelEmail is delivered over SMTP.
const ChannelEmail Channel = "email"

// Lane is the urgency of a message. Each lane has a queue and consumers of its
// own, so that slow bulk mail never stands before an urgent one.
type Lane string

// The lanes, most urgent first. Normal is the default.
const (
	LaneCritical Lane = "critical"
	LaneHigh     Lane = "high"
	LaneNormal   Lane = "normal"
	LaneLow      Lane = "low"
)

// Lanes returns every lane, most urgent first.
func Lanes() []Lane { return []Lane{LaneCritical, LaneHigh, LaneNormal, LaneLow} }

// Valid reports whether the lane is one of Lanes.
func (l Lane) Valid() bool { return slices.Contains(Lanes(), l) }

// Role is the field of the message an address stood in.
type Role string

// The roles of a recipient. All are delivered alike; only To and Cc are shown
// in the mail's header.
const (
	RoleTo  Role = "to"
	RoleCc  Role = "cc"
	RoleBcc Role = "bcc"
)

// OnUnknown is the caller's choice for a mail whose fate is unknown because its
// worker died, or the relay host's reply was lost, after the final dot.
type OnUnknown string

// Resend risks a second copy rather than none; hold keeps the delivery in the
// state unknown until somebody decides. Resend is the default.
const (
	Resend OnUnknown = "resend"
	Hold   OnUnknown = "hold"
)

// Status is the stored state of a delivery.
type Status string

// The stored states. Sent means that the relay host answered 250 to the final
// dot, nothing more and nothing less.
const (
	StatusQueued     Status = "queued"
	StatusSending    Status = "sending"
	StatusSent       Status = "sent"
	StatusFailed     Status = "failed"
	StatusUnknown    Status = "unknown"
	StatusCanceled   Status = "canceled"
	StatusSuppressed Status = "suppressed"
)

// Two more states are shown and never stored: both are queued with their time
// ahead, without or with attempts behind them.
const (
	StatusScheduled Status = "scheduled"
	StatusDelayed   Status = "delivery_delayed"
)

// Open reports whether the delivery still waits for something to happen by
// itself. Unknown is not open: somebody has to decide.
func (s Status) Open() bool { return s == StatusQueued || s == StatusSending }

// Reason says why a delivery failed.
type Reason string

// The reasons of StatusFailed.
const (
	ReasonRejected     Reason = "rejected"             // the relay host answered 5xx to the mail
	ReasonExhausted    Reason = "retries_exhausted"    // the retry window is over
	ReasonExpired      Reason = "expired"              // expires_at passed first
	ReasonRender       Reason = "render_error"         // no mail could be made of the message
	ReasonSMTPUTF8     Reason = "smtputf8_unsupported" // the address needs SMTPUTF8, the relay host has none
	ReasonInvalid      Reason = "invalid"
	ReasonPolicy       Reason = "policy"
	ReasonPoison       Reason = "poison" // its workers died too often
	ReasonNone         Reason = ""
	MaxInterrupted            = 20 // a claim interrupted this often is poison
	MaxUnknownOutcomes        = 3  // after this many unknown outcomes nothing is resent by itself
)

// Phase is how far the holder of a claim has come.
type Phase int16

// The phases. Once in PhaseData the final dot may have been written, so nobody
// but the holder and the sweep may decide.
const (
	PhaseNone    Phase = 0
	PhaseClaimed Phase = 1
	PhaseData    Phase = 2
)

// Marking says when a claim is marked.
type Marking string

// The markings. The zero value is MarkAlways.
const (
	// MarkAlways: by the holder, just before the final dot.
	MarkAlways Marking = "always"
	// MarkHold: so only under on_unknown hold. Else the claim is the mark too.
	MarkHold Marking = "hold"
)

// phase is that of a new claim.
func (m Marking) phase(u OnUnknown) Phase {
	if m == MarkHold && u == Resend {
		return PhaseData
	}
	return PhaseClaimed
}
