package simulate

// Fault is a kind of thing that goes wrong, or that a caller does at a bad
// moment.
type Fault int

// The faults. Those of SMTP verbs are further down, one for each verb and class.
const (
	NoFault Fault = iota

	CrashProducer
	CrashConsumer
	CrashAfterCommit       // the database has committed, the process dies before it hears
	CrashBeforeRelayCommit // published, and the outbox rows not yet deleted
	Stall                  // a whole process stands still for less than a lease
	StallPastLease
	GracefulStop

	ReplyLost        // of one COMMIT
	DatabaseRefuses  // one call, before anything was done
	DatabaseSlow     // one call
	DatabaseAway     // for all, for long; every call is refused
	DatabaseHangs    // for all, for long; calls get no answer
	DatabaseRestarts // a moment, and another life of the server
	Partition        // one process does not reach the database
	ClockBack
	ClockForward

	Nacked      // by the broker, to the publisher
	ConfirmLost // the copy is there, the confirm never came
	Returned    // unroutable
	QueueFull
	BrokerRestarts // every session is lost, every process lives
	SessionCut     // of one process
	VerdictStale   // a verdict for a copy of an older session was dropped
	Purged
	QueueDeleted
	CopyLost
	CopyTwin // the same copy twice
	Reordered
	Redelivered // a copy came back after a crash or a lost session

	RelayHostDown
	DropBeforeDot
	DropAfterDot         // connection lost, nothing accepted
	DropAfterDotAccepted // connection lost, accepted
	Lost250              // accepted, and the host falls silent
	RelayHostSlow        // the reply to the dot takes longer than a lease

	UserCancel
	UserReschedule
	UserRetry
	RepeatPost      // with the same key
	RepeatOtherBody // with the same key
	Expiry

	smtp4xx // the first of one for each verb
)

// verb is a step of an SMTP session at which the relay host can refuse.
type verb int

const (
	verbConnect verb = iota
	verbEHLO
	verbMail
	verbRcpt
	verbData
	verbDot
	verbs
)

const (
	smtp5xx  = smtp4xx + Fault(verbs)
	smtpDrop = smtp5xx + Fault(verbs) // at each verb but the dot
	// Faults is the number of kinds, NoFault included.
	Faults = int(smtpDrop) + int(verbDot)
)

func (v verb) String() string {
	return [...]string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "dot"}[v]
}

// String names the fault as the table of a run does.
func (f Fault) String() string {
	switch {
	case f >= smtpDrop:
		return "connection lost at " + verb(f-smtpDrop).String()
	case f >= smtp5xx:
		return "5xx at " + verb(f-smtp5xx).String()
	case f >= smtp4xx:
		return "4xx at " + verb(f-smtp4xx).String()
	}
	return [...]string{
		"none",
		"producer crashes", "consumer crashes", "crash between COMMIT and its reply", "relay crashes between publish and commit",
		"process stalls", "process stalls past its leases", "graceful stop",
		"reply of a COMMIT lost", "database refuses a call", "database slow", "database away", "database hangs",
		"database restarts", "process cut off from the database", "clock steps back", "clock steps forward",
		"publish nacked", "confirm lost", "publish returned", "queue full", "broker restarts", "broker session cut",
		"stale verdict dropped", "queue purged", "queue deleted", "one copy lost", "one copy twice", "copies reordered",
		"copy redelivered",
		"relay host down", "connection lost before the dot", "connection lost after the dot, not accepted",
		"connection lost after the dot, accepted", "250 lost", "reply slower than a lease",
		"caller cancels", "caller reschedules", "caller retries", "caller repeats a post",
		"caller repeats a key with another body", "expiry",
	}[f]
}

// ofSessions: a queue in the process itself knows no such thing.
func (f Fault) ofSessions() bool {
	switch f {
	case BrokerRestarts, SessionCut, VerdictStale, CrashConsumer, CopyTwin, Redelivered:
		return true
	}
	return false
}

// ofCallers: somebody does it who posted a message.
func (f Fault) ofCallers() bool { return f >= UserCancel && f <= RepeatOtherBody }

// Counts says how often each fault fired.
type Counts [Faults]int

// Add adds the counts of another run.
func (c *Counts) Add(other Counts) {
	for f, n := range other {
		c[f] += n
	}
}

// Unfired lists the faults that never fired.
func (c *Counts) Unfired() []Fault {
	var none []Fault
	for f := NoFault + 1; int(f) < Faults; f++ {
		if c[f] == 0 {
			none = append(none, f)
		}
	}
	return none
}

// Sum is how many faults fired.
func (c *Counts) Sum() int {
	n := 0
	for _, fired := range c {
		n += fired
	}
	return n
}
