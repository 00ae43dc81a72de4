// Package metrics counts what passes through the ports of the use cases, and
// shows it to Prometheus. It decorates: nothing else in the program knows that
// it is counted.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postrider/postrider/internal/message"
)

// Metrics is a registry of its own with everything Postrider counts. Safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger

	accepted, replayed, notAccepted     *prometheus.CounterVec
	claims, outcomes, failed            *prometheus.CounterVec
	published, confirmed, returned      *prometheus.CounterVec
	swept, faults, faultSeconds         *prometheus.CounterVec
	refusals                            *prometheus.CounterVec
	takenIn                             *prometheus.CounterVec
	marksRefused, deadLetters, purged   prometheus.Counter
	claimsHeld, sending                 prometheus.Gauge
	acceptToSent, acceptTook, claimTook prometheus.Histogram
}

// New returns metrics of a program of the given version. Log hears of a scrape
// that failed in part; nil: nobody does.
func New(version string, log *slog.Logger) *Metrics {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{registry: prometheus.NewRegistry(), log: log}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauge("build_info", "Always 1; its labels say what is running.",
		prometheus.Labels{"version": version, "go": runtime.Version()}).Set(1)
	m.defineAccept()
	m.defineIntake()
	m.defineRelay()
	m.defineWorker()
	m.defineSweep()
	m.defineRetention()
	m.defineFaults()
	m.defineKeys()
	return m
}

func (m *Metrics) defineAccept() {
	m.accepted = m.counters("accepted_total", "Messages committed.", "lane", lanes()...)
	m.replayed = m.counters("accept_replayed_total", "Requests answered with an earlier message of their idempotency key.", "lane", lanes()...)
	m.notAccepted = m.counters("accept_errors_total", "Valid messages that were not committed, by cause.", "cause", causeConflict, causeUnavailable, causeOther)
	m.acceptTook = m.histogram("accept_seconds", "Time one transaction took to commit a group of messages.", fast())
}

func (m *Metrics) defineRelay() {
	m.published = m.counters("relay_published_total", "Copies handed to the broker.", "lane", lanes()...)
	m.confirmed = m.counters("relay_confirmed_total", "Copies the broker confirmed.", "lane", lanes()...)
	m.returned = m.counters("relay_returned_total", "Copies the broker did not take, by cause; their outbox rows stay.", "cause",
		causeUnroutable, causeFull, causeUnconfirmed, causeUnavailable, causeOther)
}

func (m *Metrics) defineWorker() {
	m.claims = m.counters("claims_total", "What came of copies that wished to claim their delivery.", "state", claimStates()...)
	m.claimTook = m.histogram("claim_seconds", "Time one transaction took to claim a group of deliveries.", fast())
	m.claimsHeld = m.gauge("claims_held", "Claims of this process, as of its last renewal of leases.", nil)
	m.sending = m.gauge("sends_in_flight", "Deliveries being sent by this process.", nil)
	m.marksRefused = m.counter("marks_refused_total", "Sends broken off before the final dot because the claim was no longer theirs.")
	m.outcomes = m.counters("outcomes_total", "Ends of tries, as recorded by workers.", "outcome", outcomeKinds()...)
	m.failed = m.counters("failed_total", "Deliveries that failed for good, by reason.", "reason", reasons()...)
	m.acceptToSent = m.histogram("accept_to_sent_seconds", "From when a delivery could be sent (accepted, or its scheduled time) until the relay host took it.", slow())
	m.deadLetters = m.counter("dead_letters_total", "Copies that could not be turned into work.")
}

func (m *Metrics) defineSweep() {
	m.swept = m.counters("swept_total", "What the sweep repaired: leases that ended before the mark (requeued), after it (unknown) or too often (poison), copies the broker lost, and mail or keys past their time.",
		"kind", sweptRequeued, sweptUnknown, sweptPoison, sweptLost, sweptExpired)
}

func (m *Metrics) defineFaults() {
	m.faults = m.vector("faults_total", "Faults that began, by the part they are of, as /readyz names it, and their cause.", "part", "cause")
	m.faultSeconds = m.vector("fault_seconds_total", "Time that a part was at fault, as /readyz says.", "part")
}

// Handler serves GET /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog{m.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}))
	return mux
}

type errorLog struct{ log *slog.Logger }

// Println implements promhttp.Logger. What it gets are errors in a list, of which JSON
// would show the braces alone.
func (e errorLog) Println(v ...any) {
	e.log.Warn("metrics scraped in part", "error", strings.TrimSpace(fmt.Sprintln(v...)),
		"remedy", "see /readyz; series that cannot be had now are left out, and come again by themselves")
}

const namespace = "postrider"

// counters defines a counter with one label whose values are all known, and
// starts each at 0: a rate over a series that appears late misses its start.
func (m *Metrics) counters(name, help, label string, values ...string) *prometheus.CounterVec {
	vec := m.vector(name, help, label)
	for _, value := range values {
		vec.WithLabelValues(value)
	}
	return vec
}

// vector defines a counter whose labels' values are made known later.
func (m *Metrics) vector(name, help string, labels ...string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string, labels prometheus.Labels) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels})
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// fast buckets are for transactions, slow ones reach to the end of a retry
// window.
func fast() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func slow() []float64 {
	return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600, 72 * 3600}
}

func lanes() []string {
	var names []string
	for _, lane := range message.Lanes() {
		names = append(names, string(lane))
	}
	return names
}
