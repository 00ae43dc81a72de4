package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// history is how many messages the searches of these tests go through: more than
// one call looks at, which is fewer here than elsewhere.
const history, looked = 12_000, 10_000

// TestASearchGoesOnWhereItStopped looks for what is at the far end of a long
// history. A call that has seen enough without it says where to go on.
func TestASearchGoesOnWhereItStopped(t *testing.T) {
	for engine, url := range map[string]string{
		"postgres": storetest.Postgres(t), "sqlite": storetest.SQLite(t),
	} {
		t.Run(engine, func(t *testing.T) {
			s := withHistory(t, engine, url)
			for name, f := range map[string]message.Filter{
				"recipient": {Recipient: "FIRST@example.com"}, "subject": {Subject: "wanted"},
				"lane": {Lane: message.LaneLow}, "state": {Status: message.StatusSent},
			} {
				f.TenantID, f.Limit = message.DefaultTenant, 20
				pages, found := searchDown(t, s, f)
				if pages != 2 || found != 1 {
					t.Errorf("%s: %d pages with %d messages, want one in the second", name, pages, found)
				}
			}
			searchUp(t, s)
			searchEach(t, s)
		})
	}
}

func searchDown(t *testing.T, s *store.Store, f message.Filter) (pages, found int) {
	t.Helper()
	for {
		page, err := s.Emails(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		pages, found = pages+1, found+len(page.Views)
		if !page.HasMore || pages == 10 {
			return pages, found
		}
		f.After = page.Next
	}
}

// searchUp finds the newest message from the oldest on.
func searchUp(t *testing.T, s *store.Store) {
	t.Helper()
	f := message.Filter{TenantID: message.DefaultTenant, Limit: 1, Recipient: "last@example.com", Before: historyID(0)}
	first, err := s.Emails(t.Context(), f)
	if err != nil || len(first.Views) != 0 || !first.HasMore {
		t.Fatalf("%+v, %v", first, err)
	}
	f.Before = first.Next
	second, err := s.Emails(t.Context(), f)
	if err != nil || len(second.Views) != 1 || second.HasMore {
		t.Fatalf("%+v, %v", second, err)
	}
}

// searchEach makes pages of many hits and holds them together: each message once.
func searchEach(t *testing.T, s *store.Store) {
	t.Helper()
	f := message.Filter{TenantID: message.DefaultTenant, Limit: 100, Tag: message.Tag{Name: "tenth"}}
	if _, found := searchDown(t, s, f); found != 10*100 {
		t.Errorf("%d in ten pages of 100", found)
	}
}

func historyID(n int) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("01800000-0000-7000-8000-%012d", n))
}

// withHistory is a store with many messages, all sending but the oldest, which is
// sent.
func withHistory(t *testing.T, engine, url string) *store.Store {
	t.Helper()
	driver, numbers, id := "pgx", "generate_series(0, $1)", "CAST('01800000-0000-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0') AS UUID)"
	if engine == "sqlite" {
		driver, numbers = "sqlite", "(WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM s WHERE i<$1) SELECT i FROM s)"
		id = "'01800000-0000-7000-8000-' || printf('%012d', i)"
	}
	s := open(t, url, message.Process{ID: uuid.New()}, conformance.NewClock())
	s.LookAtMost(looked)
	db, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, query := range []string{
		`INSERT INTO messages SELECT ` + id + `, 1, 'email', CASE WHEN i=0 THEN 'low' ELSE 'normal' END,
			'{"from":{"email":"a@example.com"},"to":[{"email":"' || CASE i WHEN 0 THEN 'First' WHEN $1 THEN 'last' ELSE 'other' END || '@example.com"}],'
			|| '"subject":"' || CASE WHEN i=0 THEN 'Most Wanted' ELSE 'plain' END || '","tags":[{"name":"' ||
			CASE WHEN i%10=0 THEN 'tenth' ELSE 'Other' END || '","value":"v"}]}',
			'{"text":"x"}', 'resend', NULL, NULL, '', 1 FROM ` + numbers + ` AS s(i)`,
		`INSERT INTO deliveries (message_id, n, tenant_id, channel, role, address, lane, on_unknown, status, dispatch, finished_at)
			SELECT ` + id + `, 0, 1, 'email', 'to', 'b@example.com', 'normal', 'resend', CASE WHEN i=0 THEN 'sent' ELSE 'canceled' END, 1, 1
			FROM ` + numbers + ` AS s(i)`,
	} {
		if engine == "sqlite" {
			query = strings.Replace(query, "AS s(i)", "", 1)
		}
		if _, err := db.ExecContext(t.Context(), query, history-1); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
