package check

import (
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Evidence is all that a run left behind, taken after its last fault. Times are
// of one clock.
type Evidence struct {
	Calls     []Call
	Copies    []Copy
	Rows      []Row
	Keys      map[string]string // message id by Idempotency-Key, as the tables have it
	Queues    []Queue
	Processes []Process
	Faults    []Fault
	Expected  []string // kinds of fault that the run exists for: one that never fired fails it

	Taken time.Time // when Rows and Queues were read
	// Quiet is when the run was first seen at rest, zero if nobody watched for
	// it. Between the last fault and it may lie QuietLimit, 60 s if zero.
	Quiet      time.Time
	QuietLimit time.Duration
}

// Call is one request to accept a message, as its caller saw it. A caller that
// asks again with the same key makes another Call.
type Call struct {
	Begun, Ended time.Time
	Key          string   // its Idempotency-Key; without one a lost answer cannot be told from a phantom
	Hash         [32]byte // SHA-256 of the request's body
	Status       int      // of the answer; 0 for none
	Message      string   // the id that was answered
	Recipients   []string
	OnUnknown    message.OnUnknown // "" is resend
}

// acknowledged reports whether the caller was promised delivery.
func (c *Call) acknowledged() bool { return c.Status >= 200 && c.Status < 300 }

// unclear reports whether the caller cannot know what became of the request.
func (c *Call) unclear() bool { return c.Status == 0 || c.Status >= 500 }

// Copy is a mail whose final dot the relay host saw and did not refuse.
type Copy struct {
	At        time.Time // when the host had it whole
	MessageID string    // the header field, without brackets
	Message   string    // the message's id, the part before its @
	Recipient string
	Hash      [32]byte // SHA-256 of the content; zero: not kept
	Told      bool     // a 2xx was written to the connection
}

// Row is a delivery as the tables have it.
type Row struct {
	Message         string
	N               int
	Address         string
	OnUnknown       message.OnUnknown
	Status          message.Status
	Reason          message.Reason
	UnknownOutcomes int
	Interrupted     int
	Attempts        int
	LeaseUntil      time.Time // zero: none
	NextAttempt     time.Time // zero: none
}

// Queue is what the broker still has of a queue.
type Queue struct {
	Name    string
	Ready   int
	Unacked int
	Notices bool // the dead-letter queue, which may keep what it has
}

// Process is a process of the run at its end.
type Process struct {
	Name  string
	State string // the status of its /readyz: "ok" is well; "" when it does not answer
	Exits int    // times it ended though nobody had told it to
}

// Fault is one fault as it was made.
type Fault struct {
	Begun  time.Time
	Ended  time.Time // zero: it took no time, as a kill
	Kind   string    // such as "consumer killed"
	Victim string
	// Sends is how many sends the fault can have robbed of their outcome: those
	// in flight in a consumer that was killed or stopped past its lease, and
	// those whose connection to the relay host was cut. Zero for every other
	// fault: a process that lives keeps its outcomes.
	Sends int
}

func (f *Fault) end() time.Time {
	if f.Ended.Before(f.Begun) {
		return f.Begun
	}
	return f.Ended
}
