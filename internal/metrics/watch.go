package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postrider/postrider/internal/message"
)

// Backlogger says what the outbox holds, by lane. Its error means that nobody
// knows now.
type Backlogger interface {
	Backlog(ctx context.Context) ([]message.Backlog, error)
}

const (
	backlogTimeout = 2 * time.Second
	backlogKept    = 5 * time.Second // however many scrape, the database is asked no more often
)

// WatchOutbox adds the depth and age of the outbox, and the age of the queue. Call it at most once.
func (m *Metrics) WatchOutbox(source Backlogger) {
	label := []string{"lane"}
	m.registry.MustRegister(&outbox{
		source:    source,
		rows:      prometheus.NewDesc(namespace+"_outbox_rows", "Deliveries that wait for the broker, those for later included; counted up to 100,000.", label, nil),
		oldest:    prometheus.NewDesc(namespace+"_outbox_oldest_due_seconds", "How long the oldest due delivery has waited for the broker; 0 when none is due.", label, nil),
		unclaimed: prometheus.NewDesc(namespace+"_queue_oldest_unclaimed_seconds", "How long the queue has had the oldest delivery that no worker has claimed; 0 when there is none.", label, nil),
	})
}

// WatchConnection adds the state of a connection: 1 while up says so. Call it
// once for each part. Up must not block.
func (m *Metrics) WatchConnection(part string, up func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "connection_up", Help: "1 while the connection to this part works, else 0.",
		ConstLabels: prometheus.Labels{"part": part},
	}, func() float64 {
		if up() {
			return 1
		}
		return 0
	}))
}

// outbox is a collector that remembers its last answer for a moment.
type outbox struct {
	source                  Backlogger
	rows, oldest, unclaimed *prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	last []message.Backlog
	err  error
}

// Describe implements prometheus.Collector.
func (o *outbox) Describe(out chan<- *prometheus.Desc) {
	out <- o.rows
	out <- o.oldest
	out <- o.unclaimed
}

// Collect implements prometheus.Collector. Without an answer of the database
// the series are absent, never stale.
func (o *outbox) Collect(out chan<- prometheus.Metric) {
	lanes, err := o.backlog()
	if err != nil {
		out <- prometheus.NewInvalidMetric(o.rows, err)
		return
	}
	for _, b := range lanes {
		out <- prometheus.MustNewConstMetric(o.rows, prometheus.GaugeValue, float64(b.Rows), string(b.Lane))
		out <- prometheus.MustNewConstMetric(o.oldest, prometheus.GaugeValue, b.OldestDue.Seconds(), string(b.Lane))
		out <- prometheus.MustNewConstMetric(o.unclaimed, prometheus.GaugeValue, b.OldestUnclaimed.Seconds(), string(b.Lane))
	}
}

func (o *outbox) backlog() ([]message.Backlog, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at.IsZero() || time.Since(o.at) >= backlogKept {
		ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
		defer cancel()
		o.last, o.err = o.source.Backlog(ctx)
		o.at = time.Now()
	}
	return o.last, o.err
}
