package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/check"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// goodRun is a run without a flaw: a is plain, b went to two people, the caller of
// c never got an answer, and d was taken twice because a consumer was killed.
func goodRun() *check.Evidence {
	return &check.Evidence{
		Calls: []check.Call{
			{Begun: at(0), Ended: at(0.1), Key: "ka", Hash: hash(1), Status: 202, Message: "a", Recipients: []string{"ann"}},
			{Begun: at(0), Ended: at(0.1), Key: "kb", Hash: hash(2), Status: 202, Message: "b", Recipients: []string{"ann", "bob"}},
			{Begun: at(0), Ended: at(30), Key: "kc", Hash: hash(3), Recipients: []string{"ann"}},
			{Begun: at(1), Ended: at(1.1), Key: "kd", Hash: hash(4), Status: 503, Recipients: []string{"dan"}},
			{Begun: at(2), Ended: at(2.1), Key: "kd", Hash: hash(4), Status: 202, Message: "d", Recipients: []string{"dan"}},
		},
		Keys: map[string]string{"ka": "a", "kb": "b", "kc": "c", "kd": "d"},
		Copies: []check.Copy{
			sunk("a", "ann", 1), sunk("b", "ann", 1), sunk("b", "bob", 1), sunk("c", "ann", 2),
			sunk("d", "dan", 30), sunk("d", "dan", 3),
		},
		Rows: []check.Row{
			row("a", "ann", message.StatusSent, 0), row("b", "ann", message.StatusSent, 0),
			row("b", "bob", message.StatusSent, 0), row("c", "ann", message.StatusSent, 0),
			row("d", "dan", message.StatusSent, 1),
		},
		Queues:    []check.Queue{{Name: "normal"}, {Name: "dead", Ready: 7, Notices: true}},
		Processes: []check.Process{{Name: "producer", State: "ok"}, {Name: "consumer", State: "ok"}},
		Faults: []check.Fault{
			{Begun: at(3.2), Kind: "consumer killed", Victim: "consumer", Sends: 1},
			{Begun: at(5), Ended: at(9), Kind: "broker killed"},
		},
		Expected: []string{"consumer killed", "broker killed"},
		Taken:    at(60),
		Quiet:    at(40),
	}
}

func hash(n byte) [32]byte { return [32]byte{n} }

func sunk(id, to string, when float64) check.Copy {
	return check.Copy{At: at(when), Message: id, MessageID: id + "@sender.example", Recipient: to, Hash: hash(id[0]), Told: true}
}

func row(id, to string, s message.Status, unknowns int) check.Row {
	return check.Row{Message: id, Address: to, Status: s, UnknownOutcomes: unknowns}
}

func TestAGoodRunHolds(t *testing.T) {
	r := check.Run(goodRun())
	if !r.OK() {
		t.Fatalf("not so:\n%s", r.Text())
	}
	got := []int{r.Calls, r.Attempts, r.Acknowledged, r.Delivered, r.Lost, r.Duplicated, r.Unexpected, r.Recovered, r.UnknownOutcomes, r.Bound.Most}
	if want := []int{5, 5, 4, 4, 0, 1, 0, 1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v\n%s", got, want, r.Text())
	}
	if r.Settled != 31*time.Second {
		t.Errorf("settled after %v", r.Settled)
	}
}

// Each case breaks a good run in one way, which must be reported as that and as
// nothing else.
func TestWhatIsBrokenIsReportedAsThat(t *testing.T) {
	for _, c := range []struct {
		name     string
		breaking func(e *check.Evidence)
		want     string // the invariants, by a blank
		why      string // in the text of the report
	}{
		{"not in the tables", func(e *check.Evidence) { drop(e, "a"); e.Copies = e.Copies[1:] }, "I1", "a: to ann: is not in the tables"},
		{"sent and not there", func(e *check.Evidence) { e.Copies = e.Copies[1:] }, "I1 I3", "no copy"},
		{"never sent", func(e *check.Evidence) { e.Copies = e.Copies[1:]; e.Rows[0].Status = message.StatusQueued }, "I1 I6", "still queued"},
		{"a stranger's copy", func(e *check.Evidence) { e.Copies = append(e.Copies, sunk("z", "ann", 4)) }, "I2", "z: a copy to ann"},
		{"a copy to somebody else", func(e *check.Evidence) { e.Copies = append(e.Copies, sunk("a", "eve", 4)) }, "I2", "a: a copy to eve"},
		{"a refused request that was sent", func(e *check.Evidence) { e.Calls[2].Status = 422 }, "I2", "c: a copy"},
		{"failed although taken", func(e *check.Evidence) {
			e.Rows[0].Status, e.Rows[0].Reason = message.StatusFailed, message.ReasonRejected
		}, "I3", "is failed rejected"},
		{"waits although taken", func(e *check.Evidence) {
			e.Rows[0].Status, e.Rows[0].NextAttempt = message.StatusQueued, at(100)
		}, "I3", "is queued"},
		{"sent although never told", func(e *check.Evidence) { e.Copies[0].Told = false }, "I3", "never said so"},
		{"unknown without a doubt", func(e *check.Evidence) { e.Rows[0].Status = message.StatusUnknown }, "I3", "without a doubt"},
		{"a duplicate without a doubt", func(e *check.Evidence) { e.Rows[4].UnknownOutcomes = 0 }, "I4", "0 unknown outcomes"},
		{"a duplicate without a fault", func(e *check.Evidence) { e.Faults[0].Sends = 0 }, "I4", "no fault explains it"},
		{"a fault too late", func(e *check.Evidence) { e.Faults[0].Begun = at(31) }, "I4", "no fault explains it"},
		{"a fault too early", func(e *check.Evidence) {
			e.Copies[5].At = at(20)
		}, "I4", "no fault explains it"},
		{"two duplicates from one send", func(e *check.Evidence) {
			e.Copies = append(e.Copies, sunk("d", "dan", 45))
			e.Rows[4].UnknownOutcomes = 2
		}, "I4", "no fault explains it"},
		{"a duplicate under hold", func(e *check.Evidence) { e.Calls[4].OnUnknown = message.Hold }, "I4", "2 copies under hold"},
		{"two answers to a key", func(e *check.Evidence) {
			e.Calls = append(e.Calls, e.Calls[0])
			e.Calls[5].Message = "b"
			e.Calls[5].Recipients = []string{"bob"}
		}, "I5", "was answered a and b"},
		{"two bodies to a key", func(e *check.Evidence) { e.Calls = append(e.Calls, e.Calls[0]); e.Calls[5].Hash = hash(9) }, "I5", "two different bodies"},
		{"another id in the tables", func(e *check.Evidence) { e.Keys["ka"] = "z" }, "I5", "is message z in the tables"},
		{"a key that is not kept", func(e *check.Evidence) { delete(e.Keys, "ka") }, "I5", "is not in the tables"},
		{"two keys to a message", func(e *check.Evidence) {
			e.Calls = append(e.Calls, e.Calls[0])
			e.Calls[5].Key, e.Keys["kz"] = "kz", "a"
		}, "I5", "as does ka"},
		{"a message of no key", func(e *check.Evidence) {
			e.Rows = append(e.Rows, row("z", "zoe", message.StatusCanceled, 0))
		}, "I5", "no key leads to it"},
		{"a lease held", func(e *check.Evidence) {
			e.Rows[0].Status, e.Rows[0].LeaseUntil = message.StatusSending, at(70)
		}, "I6", "sending, lease until"},
		{"a copy at the broker", func(e *check.Evidence) { e.Queues[0].Unacked = 1 }, "I6", "1 unacknowledged"},
		{"a long unrest", func(e *check.Evidence) { e.Quiet = at(70) }, "I6", "came 1m1s after"},
		{"other bytes", func(e *check.Evidence) { e.Copies[2].Hash = hash(9) }, "I7", "has other bytes"},
		{"another Message-ID", func(e *check.Evidence) { e.Copies[2].MessageID = "b@other.example" }, "I7", "b@other.example"},
		{"a process that is ill", func(e *check.Evidence) { e.Processes[1].State = "degraded" }, "I8", `is "degraded"`},
		{"a process that ended", func(e *check.Evidence) { e.Processes[0].Exits = 1 }, "I8", "ended 1 times"},
		{"a fault that never fired", func(e *check.Evidence) { e.Expected = append(e.Expected, "queue purged") }, "", "queue purged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := goodRun()
			c.breaking(e)
			r := check.Run(e)
			if got := strings.Join(r.Broken(), " "); got != c.want || r.OK() {
				t.Errorf("broken %q, want %q", got, c.want)
			}
			if !strings.Contains(r.Text(), c.why) {
				t.Errorf("does not say %q", c.why)
			}
			if t.Failed() {
				t.Log("\n" + r.Text())
			}
		})
	}
}

func drop(e *check.Evidence, id string) {
	e.Rows = slices.DeleteFunc(e.Rows, func(r check.Row) bool { return r.Message == id })
}

// What ends or waits as its caller was told is not lost.
func TestEndsOtherThanSentAreCounted(t *testing.T) {
	e := &check.Evidence{Taken: at(60)}
	for id, r := range map[string]check.Row{
		"f": {Status: message.StatusFailed, Reason: message.ReasonRejected},
		"u": {Status: message.StatusUnknown, UnknownOutcomes: 1},
		"c": {Status: message.StatusCanceled},
		"w": {Status: message.StatusQueued, NextAttempt: at(61)},
	} {
		r.Message, r.Address = id, "ann"
		e.Rows = append(e.Rows, r)
		e.Calls = append(e.Calls, check.Call{Key: "k" + id, Status: 202, Message: id, Recipients: []string{"ann"}})
	}
	r := check.Run(e)
	if !r.OK() || r.Acknowledged != 4 || r.Lost != 0 || r.Delivered != 0 || r.Waiting != 1 || r.PossiblySent != 1 {
		t.Errorf("%+v\n%s", r, r.Text())
	}
	for _, status := range []string{"failed", "unknown", "canceled"} {
		if r.Otherwise[status] != 1 {
			t.Errorf("%d %s", r.Otherwise[status], status)
		}
	}
}

// A fault answers for no more duplicates than it had sends, and no order in which
// they are looked at makes a false accusation.
func TestFaultsAreMatchedToDuplicatesAsWellAsPossible(t *testing.T) {
	// The first fault explains both, the second only y: taken in order, x would
	// be left over.
	e := &check.Evidence{Faults: []check.Fault{
		{Begun: at(15), Kind: "kill", Sends: 1},
		{Begun: at(50), Kind: "kill", Sends: 1},
	}}
	for _, id := range []string{"x", "y"} {
		again := 20.0
		if id == "y" {
			again = 60
		}
		e.Calls = append(e.Calls, check.Call{Key: id, Status: 202, Message: id, Recipients: []string{"ann"}})
		e.Rows = append(e.Rows, row(id, "ann", message.StatusSent, 1))
		e.Copies = append(e.Copies, sunk(id, "ann", 14), sunk(id, "ann", again))
	}
	slices.Reverse(e.Faults)
	for range 2 {
		slices.Reverse(e.Faults)
		if r := check.Run(e); !r.OK() || r.Duplicated != 2 {
			t.Errorf("not so:\n%s", r.Text())
		}
	}
}

// The first twenty are named, all are counted.
func TestOffendersAreBounded(t *testing.T) {
	e := &check.Evidence{}
	for i := range 100 {
		e.Copies = append(e.Copies, sunk("z", "ann", float64(i)))
	}
	if i := check.Run(e).Invariants[1]; i.Broken != 100 || len(i.Offenders) != 20 {
		t.Errorf("%d broken, %d named", i.Broken, len(i.Offenders))
	}
}

func TestAnAddressNamedTwiceIsTwoMails(t *testing.T) {
	e := &check.Evidence{
		Calls:  []check.Call{{Key: "k", Status: 202, Message: "a", Recipients: []string{"ann", "ann"}}},
		Rows:   []check.Row{row("a", "ann", message.StatusSent, 0), row("a", "ann", message.StatusSent, 0)},
		Copies: []check.Copy{sunk("a", "ann", 1), sunk("a", "ann", 2)},
	}
	if r := check.Run(e); !r.OK() || r.Duplicated != 0 {
		t.Errorf("not so:\n%s", r.Text())
	}
}
