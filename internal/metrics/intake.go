package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/message"
)

// What becomes of enqueued emails, as labels.
const (
	intakeAccepted = "accepted"
	intakeRefused  = "refused"
)

func (m *Metrics) defineIntake() {
	m.takenIn = m.counters("intake_taken_total", "Emails taken in that callers enqueued within their own transactions: accepted, or refused and failed as invalid.",
		"outcome", intakeAccepted, intakeRefused)
}

type intakeStore struct {
	intake.Store
	m *Metrics
}

// IntakeStore counts what next takes in.
func (m *Metrics) IntakeStore(next intake.Store) intake.Store { return intakeStore{next, m} }

// TakeIn implements intake.Store.
func (s intakeStore) TakeIn(ctx context.Context, after uuid.UUID, limit int, read intake.Read) (message.IntakeLook, error) {
	look, err := s.Store.TakeIn(ctx, after, limit, read)
	for _, t := range look.Taken {
		if t.Refused != nil {
			s.m.takenIn.WithLabelValues(intakeRefused).Inc()
			s.m.failed.WithLabelValues(string(message.ReasonInvalid)).Add(float64(t.Recipients))
			continue
		}
		s.m.takenIn.WithLabelValues(intakeAccepted).Inc()
		s.m.accepted.WithLabelValues(string(t.Lane)).Inc()
	}
	return look, err
}

// Waiter says what waits in the intake. Its error means that nobody knows now.
type Waiter interface {
	Waiting(ctx context.Context) (message.Waiting, error)
}

// WatchIntake adds the depth and age of the intake. Call it at most once.
func (m *Metrics) WatchIntake(source Waiter) {
	m.registry.MustRegister(&intakeDepth{
		source: source,
		rows:   prometheus.NewDesc(namespace+"_intake_rows", "Emails that callers enqueued and committed, and no producer has taken in yet; counted up to 100,000.", nil, nil),
		oldest: prometheus.NewDesc(namespace+"_intake_oldest_seconds", "How long the oldest of them has waited; 0 when none does.", nil, nil),
	})
}

// intakeDepth is a collector that remembers its last answer for a moment.
type intakeDepth struct {
	source       Waiter
	rows, oldest *prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	last message.Waiting
	err  error
}

// Describe implements prometheus.Collector.
func (d *intakeDepth) Describe(out chan<- *prometheus.Desc) {
	out <- d.rows
	out <- d.oldest
}

// Collect implements prometheus.Collector. Without an answer of the database the
// series are absent, never stale.
func (d *intakeDepth) Collect(out chan<- prometheus.Metric) {
	w, err := d.waiting()
	if err != nil {
		out <- prometheus.NewInvalidMetric(d.rows, err)
		return
	}
	out <- prometheus.MustNewConstMetric(d.rows, prometheus.GaugeValue, float64(w.Rows))
	out <- prometheus.MustNewConstMetric(d.oldest, prometheus.GaugeValue, w.Oldest.Seconds())
}

func (d *intakeDepth) waiting() (message.Waiting, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.IsZero() || time.Since(d.at) >= backlogKept {
		ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
		defer cancel()
		d.last, d.err = d.source.Waiting(ctx)
		d.at = time.Now()
	}
	return d.last, d.err
}
