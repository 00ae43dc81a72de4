package smtptest

import (
	"crypto/tls"
	"strings"
	"time"
)

// Step is a point of an SMTP session at which a Rule can act.
type Step string

// The steps in the order a session meets them. Handshake is just before the
// TLS handshake, Body is while the content arrives, Dot is the final dot.
const (
	Connect   Step = "CONNECT"
	Ehlo      Step = "EHLO" // HELO too
	StartTLS  Step = "STARTTLS"
	Handshake Step = "HANDSHAKE"
	Auth      Step = "AUTH"
	Mail      Step = "MAIL"
	Rcpt      Step = "RCPT"
	Data      Step = "DATA"
	Body      Step = "BODY"
	Dot       Step = "DOT"
	Rset      Step = "RSET"
	Noop      Step = "NOOP"
	Quit      Step = "QUIT"
	Other     Step = "OTHER" // any other command; answered 500
)

// TLSMode says when the server speaks TLS.
type TLSMode int

// The modes of TLS.
const (
	Plain       TLSMode = iota // never; STARTTLS is not offered
	OfferTLS                   // by STARTTLS
	ImplicitTLS                // from the first byte
)

// Certificate is the kind of certificate the server shows. All but SelfSigned
// are signed by the server's own authority, see Server.Roots.
type Certificate int

// The kinds of certificates.
const (
	Good Certificate = iota // for 127.0.0.1 and localhost
	Expired
	WrongName
	SelfSigned
)

// Script is what the server does. The zero Script is a friendly server without
// TLS that takes every mail.
type Script struct {
	Listen string // default 127.0.0.1:0
	Rules  []Rule // the first that applies to a step acts there

	// MaxSessions is how many sessions may be open at a time; 0: any number. One
	// more is told 421 where the greeting would be, and closed; rules at CONNECT
	// do not see it. With TurnAway Drop or Reset it is closed without a word.
	MaxSessions int
	TurnAway    End

	// Extensions are the lines of the EHLO reply; nil means PIPELINING,
	// 8BITMIME and ENHANCEDSTATUSCODES. STARTTLS and AUTH are added as fits.
	Extensions []string
	TLS        TLSMode
	Cert       Certificate
	TuneTLS    func(*tls.Config) // may change the server's TLS settings

	// Users are names and passwords; with any, MAIL needs AUTH before it, by
	// one of the Mechanisms: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256. Nil means
	// PLAIN and LOGIN.
	Users      map[string]string
	Mechanisms []string
	Iterations int // that SCRAM asks of a client; 0: 4096

	Forget bool // keep no content, only its length: for many or large mails
}

// Rule acts at one step. Without Reply, Raw and an End, the server answers as
// it would have without the rule, after Do, Delay and Wait.
type Rule struct {
	At    Step
	Match string // only where the command line (Body, Dot: the envelope) contains it
	Skip  int    // let that many pass first
	Times int    // act that often, then no more; 0: always
	After int    // Body only: once that many bytes of content have arrived

	Do    func(Event)     // called first: a story can kill a process here
	Delay time.Duration   // then wait that long
	Wait  <-chan struct{} // then wait until it is closed, or the server is

	Reply string // such as "451 4.7.1 later"; several lines are parted by \n
	Raw   string // or these very bytes
	End   End
}

// End is what becomes of the connection after a rule.
type End int

// The ends. All but Keep end the session.
const (
	Keep   End = iota
	Drop       // close without an answer
	Reset      // the same, by a TCP reset
	Hangup     // answer, then close
	Silent     // never answer; the connection stays open until the client gives up
)

// Event tells a Rule's Do where the session stands.
type Event struct {
	Session int // counted from 1
	Step    Step
	Line    string // the command as received
	From    string
	Rcpts   []string
	TLS     bool
}

func (r *Rule) applies(e Event) bool {
	if r.At != e.Step {
		return false
	}
	if r.Match == "" {
		return true
	}
	return strings.Contains(e.Line, r.Match) ||
		(e.Step == Body || e.Step == Dot) && strings.Contains(e.From+" "+strings.Join(e.Rcpts, " "), r.Match)
}
