package metrics_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/worker"
)

var errBroken = errors.New("broken")

// ports answers every port with what the test says.
type ports struct {
	acceptances []message.Acceptance
	published   []error
	claims      []message.Claim
	marks       []bool
	recorded    []error
	swept       message.Swept
	count       int
	buried      error
	backlog     func() ([]message.Backlog, error)
	sending     func()
	takenIn     []message.TakenIn
	waiting     message.Waiting
}

func (p *ports) TakeIn(context.Context, uuid.UUID, int, intake.Read) (message.IntakeLook, error) {
	return message.IntakeLook{Taken: p.takenIn}, errBroken
}
func (p *ports) AwaitEnqueued(context.Context) error              { return nil }
func (p *ports) ForgetEnqueueKeys(context.Context) error          { return nil }
func (p *ports) Waiting(context.Context) (message.Waiting, error) { return p.waiting, nil }

func (p *ports) Accept(context.Context, []message.Submission) []message.Acceptance {
	return p.acceptances
}
func (p *ports) Replay(context.Context, int64, string, [32]byte) (message.Acceptance, bool, error) {
	return message.Acceptance{}, false, nil
}
func (p *ports) Publish(context.Context, message.Lane, []message.Ref) []error { return p.published }
func (p *ports) Ready(context.Context, message.Lane) (int, error)             { return p.count, nil }
func (p *ports) Claim(context.Context, []message.Bid) ([]message.Claim, error) {
	return p.claims, nil
}
func (p *ports) Renew(_ context.Context, held []message.Held) ([]bool, error) {
	return make([]bool, len(held)), nil
}
func (p *ports) Mark(context.Context, []message.Held) ([]bool, error) { return p.marks, nil }
func (p *ports) Record(context.Context, []message.Outcome) []error    { return p.recorded }
func (p *ports) Bury(context.Context, []message.DeadLetter) error     { return p.buried }
func (p *ports) Clock(context.Context) (message.Clock, error)         { return message.Clock{}, nil }
func (p *ports) SweepExpired(context.Context, int) (int, error)       { return p.count, nil }
func (p *ports) Backlog(context.Context) ([]message.Backlog, error)   { return p.backlog() }
func (p *ports) Probe(context.Context) error                          { return nil }
func (p *ports) SweepLeases(context.Context, time.Time, int, time.Duration) (message.Swept, error) {
	return p.swept, nil
}
func (p *ports) SweepLost(context.Context, message.Lane, time.Time, int) (int, error) {
	return p.count, nil
}
func (p *ports) Send(context.Context, *message.Work, func(context.Context) error) (message.Receipt, error) {
	p.sending()
	return message.Receipt{}, nil
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("scrape: %d, %v", w.Code, err)
	}
	return string(body)
}

// shows holds each line of want against what is scraped.
func shows(t *testing.T, m *metrics.Metrics, want ...string) {
	t.Helper()
	got := "\n" + scrape(t, m)
	for _, line := range want {
		if !strings.Contains(got, "\npostrider_"+line+"\n") {
			t.Errorf("no line %q among\n%s", "postrider_"+line, got)
		}
	}
}

func TestAcceptStoreCountsWhatIsCommitted(t *testing.T) {
	m := metrics.New("test", nil)
	high := &message.Message{Lane: message.LaneHigh}
	p := &ports{acceptances: []message.Acceptance{
		{}, {}, {Replayed: true}, {Err: message.ErrUnavailable}, {Err: &message.Error{Code: message.CodeIdempotencyConflict}}, {Err: errBroken},
	}}
	m.AcceptStore(p).Accept(t.Context(), []message.Submission{{Message: high}, {Message: high}, {Message: high}, {Message: high}, {Message: high}, {Message: high}})
	shows(t, m,
		`accepted_total{lane="high"} 2`, `accepted_total{lane="low"} 0`, `accept_replayed_total{lane="high"} 1`,
		`accept_errors_total{cause="unavailable"} 1`, `accept_errors_total{cause="conflict"} 1`, `accept_errors_total{cause="other"} 1`,
		`accept_seconds_count 1`)
}

func TestIntakeStoreCountsWhatIsTakenIn(t *testing.T) {
	m := metrics.New("test", nil)
	p := &ports{takenIn: []message.TakenIn{
		{Lane: message.LaneHigh, Recipients: 2}, {Lane: message.LaneLow, Recipients: 1},
		{Lane: message.LaneHigh, Recipients: 3, Refused: &message.Error{}},
	}}
	if _, err := m.IntakeStore(p).TakeIn(t.Context(), uuid.Nil, 10, nil); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	shows(t, m, `intake_taken_total{outcome="accepted"} 2`, `intake_taken_total{outcome="refused"} 1`,
		`accepted_total{lane="high"} 1`, `accepted_total{lane="low"} 1`, `failed_total{reason="invalid"} 3`)
}

func TestTheIntakeIsShown(t *testing.T) {
	m := metrics.New("test", nil)
	m.WatchIntake(&ports{waiting: message.Waiting{Rows: 3, Oldest: 1500 * time.Millisecond}})
	shows(t, m, `intake_rows 3`, `intake_oldest_seconds 1.5`)
}

// batchAnswer is a store for batches that answers it.
type batchAnswer struct {
	accept.BatchStore
	answer message.BatchAnswer
	err    error
}

func (b batchAnswer) AcceptBatch(context.Context, *message.Batch) (message.BatchAnswer, error) {
	return b.answer, b.err
}

func TestBatchStoreCountsEveryMessage(t *testing.T) {
	m := metrics.New("test", nil)
	b := &message.Batch{Messages: []*message.Message{{Lane: message.LaneHigh}, {Lane: message.LaneLow}, {Lane: message.LaneHigh}}}
	for _, store := range []batchAnswer{
		{}, {answer: message.BatchAnswer{Replayed: true}}, {err: message.ErrUnavailable}, {err: &message.Error{Code: message.CodeIdempotencyConflict}},
	} {
		_, _ = m.BatchStore(store).AcceptBatch(t.Context(), b)
	}
	shows(t, m,
		`accepted_total{lane="high"} 2`, `accepted_total{lane="low"} 1`, `accept_replayed_total{lane="high"} 1`, `accept_replayed_total{lane="low"} 0`,
		`accept_errors_total{cause="unavailable"} 3`, `accept_errors_total{cause="conflict"} 3`, `accept_seconds_count 4`)
}

func TestRelayQueueCountsWhatTheBrokerTook(t *testing.T) {
	m := metrics.New("test", nil)
	p := &ports{published: []error{nil, nil, message.ErrUnroutable, message.ErrQueueFull, message.ErrNotConfirmed, message.ErrUnavailable, errBroken}}
	m.RelayQueue(p).Publish(t.Context(), message.LaneLow, make([]message.Ref, 7))
	shows(t, m,
		`relay_published_total{lane="low"} 7`, `relay_confirmed_total{lane="low"} 2`,
		`relay_returned_total{cause="unroutable"} 1`, `relay_returned_total{cause="full"} 1`,
		`relay_returned_total{cause="unconfirmed"} 1`, `relay_returned_total{cause="unavailable"} 1`, `relay_returned_total{cause="other"} 1`)
}

func TestWorkerStoreCountsClaimsMarksAndOutcomes(t *testing.T) {
	m := metrics.New("test", nil)
	store := m.WorkerStore(&ports{
		claims:   []message.Claim{{State: message.ClaimTaken}, {State: message.ClaimTaken}, {State: message.ClaimNothing}, {State: message.ClaimExpired}, {State: message.ClaimMissing}},
		marks:    []bool{true, false},
		recorded: []error{nil, nil, nil, nil, nil, nil, errBroken},
	})
	record(t, store)
	shows(t, m,
		`claims_total{state="taken"} 2`, `claims_total{state="nothing"} 1`, `claims_total{state="expired"} 1`, `claims_total{state="missing"} 1`,
		`claims_held 3`, `marks_refused_total 1`, `claim_seconds_count 1`,
		`outcomes_total{outcome="sent"} 1`, `outcomes_total{outcome="retry"} 2`, `outcomes_total{outcome="unknown"} 1`, `outcomes_total{outcome="released"} 1`,
		`failed_total{reason="rejected"} 1`, `failed_total{reason="retries_exhausted"} 1`, `failed_total{reason="expired"} 1`,
		`accept_to_sent_seconds_count 1`, `accept_to_sent_seconds_sum 2`)
}

func record(t *testing.T, store worker.Store) {
	t.Helper()
	_, claimErr := store.Claim(t.Context(), make([]message.Bid, 5))
	_, renewErr := store.Renew(t.Context(), make([]message.Held, 3))
	_, markErr := store.Mark(t.Context(), make([]message.Held, 2))
	if err := errors.Join(claimErr, renewErr, markErr); err != nil {
		t.Error(err)
	}
	store.Record(t.Context(), []message.Outcome{
		{Kind: message.OutcomeSent, Age: 2 * time.Second},
		{Kind: message.OutcomeRetry},
		{Kind: message.OutcomeRetry, Exhausted: true},
		{Kind: message.OutcomeFailed, Reason: message.ReasonRejected},
		{Kind: message.OutcomeUnknown},
		{Kind: message.OutcomeReleased},
		{Kind: message.OutcomeSent, Age: time.Hour}, // not written: counted when it is
	})
}

func TestSenderCountsWhatIsInFlight(t *testing.T) {
	m := metrics.New("test", nil)
	p := &ports{sending: func() { shows(t, m, `sends_in_flight 1`) }}
	if _, err := m.Sender(p).Send(t.Context(), nil, nil); err != nil {
		t.Error(err)
	}
	shows(t, m, `sends_in_flight 0`)
}

func TestDeadLettersAreCountedOnceBuried(t *testing.T) {
	m := metrics.New("test", nil)
	p := &ports{buried: errBroken}
	_ = m.DeadLetters(p).Bury(t.Context(), make([]message.DeadLetter, 2))
	p.buried = nil
	_ = m.DeadLetters(p).Bury(t.Context(), make([]message.DeadLetter, 2))
	shows(t, m, `dead_letters_total 2`)
}

func TestSweepStoreCountsRepairs(t *testing.T) {
	m := metrics.New("test", nil)
	store := m.SweepStore(&ports{swept: message.Swept{Requeued: 3, Unknown: 2, Poison: 1}, count: 4})
	_, leases := store.SweepLeases(t.Context(), time.Now(), 10, 0)
	_, lost := store.SweepLost(t.Context(), message.LaneLow, time.Time{}, 10)
	_, expired := store.SweepExpired(t.Context(), 10)
	if err := errors.Join(leases, lost, expired); err != nil {
		t.Error(err)
	}
	shows(t, m, `swept_total{kind="requeued"} 3`, `swept_total{kind="unknown"} 2`, `swept_total{kind="poison"} 1`,
		`swept_total{kind="lost_copy"} 4`, `swept_total{kind="expired"} 4`, `failed_total{reason="poison"} 1`,
		`failed_total{reason="expired"} 4`)
}

func TestTheOutboxIsAskedOnceForManyScrapes(t *testing.T) {
	m := metrics.New("test", nil)
	asked := 0
	m.WatchOutbox(&ports{backlog: func() ([]message.Backlog, error) {
		asked++
		return []message.Backlog{{Lane: message.LaneHigh, Rows: 7, OldestDue: 1500 * time.Millisecond, OldestUnclaimed: time.Minute}}, nil
	}})
	for range 3 {
		shows(t, m, `outbox_rows{lane="high"} 7`, `outbox_oldest_due_seconds{lane="high"} 1.5`, `queue_oldest_unclaimed_seconds{lane="high"} 60`)
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestWithoutTheDatabaseTheRestIsStillShown(t *testing.T) {
	var log strings.Builder
	m := metrics.New("v1", slog.New(slog.NewJSONHandler(&log, nil))) // which has no word for a list of errors
	m.WatchOutbox(&ports{backlog: func() ([]message.Backlog, error) { return nil, message.ErrUnavailable }})
	if got := scrape(t, m); strings.Contains(got, "outbox_rows") || !strings.Contains(got, `version="v1"`) {
		t.Errorf("scraped\n%s", got)
	}
	if !strings.Contains(log.String(), "unavailable") {
		t.Errorf("log: %q", log.String())
	}
}

func TestConnectionsShowTheirState(t *testing.T) {
	m := metrics.New("test", nil)
	up := true
	m.WatchConnection("broker", func() bool { return up })
	m.WatchConnection("database", func() bool { return false })
	shows(t, m, `connection_up{part="broker"} 1`, `connection_up{part="database"} 0`)
	up = false
	shows(t, m, `connection_up{part="broker"} 0`)
}

func TestFaultsAreCountedFromZero(t *testing.T) {
	m := metrics.New("test", nil)
	m.DefineFault("database", "away", "timeout")
	shows(t, m, `faults_total{cause="away",part="database"} 0`, `fault_seconds_total{part="database"} 0`)
	m.FaultBegan("database", "away")
	m.FaultLasted("database", 1500*time.Millisecond)
	m.DefineFault("database", "away", "timeout")
	shows(t, m, `faults_total{cause="away",part="database"} 1`, `faults_total{cause="timeout",part="database"} 0`,
		`fault_seconds_total{part="database"} 1.5`)
}
