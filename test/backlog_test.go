package test

import (
	"bufio"
	"database/sql"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"github.com/postrider/postrider/internal/smtptest"
)

const backlogMails = 100_000

// With 100,000 mails waiting for a relay host that takes none, no process grows
// with them.
func TestABacklogCostsNoMemoryAndNoGoroutines(t *testing.T) {
	away := smtptest.Rule{At: smtptest.Connect, Reply: "421 4.3.2 later", End: smtptest.Hangup}
	inBothModes(t, setting{script: smtptest.Script{Rules: []smtptest.Rule{away}}}, func(s *stack) {
		first := s.post(mail("ann@example.com"))
		s.eventually("the relay host is found to be away", func() bool { return s.relay.Stats().Sessions > 3 })
		before := s.vitals()
		s.seed(backlogMails)
		s.eventually("the backlog is seen", func() bool { return s.outboxRows() > backlogMails/2 })
		s.eventually("the relay has filled its window and rests", func() bool { return s.relay.Stats().Sessions > 8 })
		for i, after := range s.vitals() {
			if grown := after["go_goroutines"] - before[i]["go_goroutines"]; grown > 30 {
				s.Errorf("process %d has %v more goroutines", i, grown)
			}
			if grown := after["go_memstats_heap_inuse_bytes"] - before[i]["go_memstats_heap_inuse_bytes"]; grown > 48<<20 {
				s.Errorf("process %d holds %v MiB more", i, grown/(1<<20))
			}
		}
		if e := s.get(first); e.Status.Open() && e.Recipients[0].Attempts > 0 {
			s.Errorf("a mail was charged for the relay host's fault: %+v", e.Recipients)
		}
	})
}

// vitals reads the metrics of every process.
func (s *stack) vitals() []map[string]float64 {
	s.Helper()
	var all []map[string]float64
	for _, base := range s.metrics {
		all = append(all, s.scrape(base))
	}
	return all
}

func (s *stack) scrape(base string) map[string]float64 {
	s.Helper()
	res, err := http.Get(base + "/metrics")
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	values := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = v
		}
	}
	return values
}

func (s *stack) outboxRows() float64 {
	return s.scrape(s.metrics[0])[`postrider_outbox_rows{lane="normal"}`]
}

// seed writes n accepted mails straight into the tables.
func (s *stack) seed(n int) {
	s.Helper()
	driver, dsn := "pgx", s.database
	if file, ok := strings.CutPrefix(s.database, "sqlite:"); ok {
		driver, dsn = "sqlite", file+"?_pragma=busy_timeout(20000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for done := 0; done < n; done += 1000 {
		s.seedThousand(db)
	}
}

// seedThousand copies the first message a thousand times.
func (s *stack) seedThousand(db *sql.DB) {
	s.Helper()
	var ids strings.Builder
	for i := range 1000 {
		if i > 0 {
			ids.WriteByte(',')
		}
		fmt.Fprintf(&ids, "('%s')", uuid.Must(uuid.NewV7()))
	}
	id := "CAST(column1 AS UUID)"
	if s.mode == embedded {
		id = "column1" // a UUID is text there, and a cast would make it a number
	}
	tx, err := db.BeginTx(s.Context(), nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO messages SELECT ` + id + `, m.tenant_id, m.kind, m.lane, m.head, m.content, m.on_unknown, m.scheduled_at, m.expires_at, m.trace, m.created_at
			FROM (VALUES ` + ids.String() + `) AS v, (SELECT * FROM messages ORDER BY id LIMIT 1) AS m`,
		`INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, dispatch, next_attempt_at)
			SELECT ` + id + `, 0, 1, 'email', 'to', 'ann@example.com', 'normal', 'resend', 'queued', 1, 1 FROM (VALUES ` + ids.String() + `) AS v`,
		`INSERT INTO outbox (message_id, n, dispatch, tenant_id, channel, lane, due_at)
			SELECT ` + id + `, 0, 1, 1, 'email', 'normal', 1 FROM (VALUES ` + ids.String() + `) AS v`,
	} {
		if _, err := tx.ExecContext(s.Context(), statement); err != nil {
			s.Fatalf("seed: %v", err)
		}
	}
	if err := tx.Commit(); err != nil {
		s.Fatal(err)
	}
}
