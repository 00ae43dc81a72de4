package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// rateWindow is how much of a key's rate may be used at once, in microseconds: a
// key of 10 requests a second may make ten together, and then one every 100 ms.
const rateWindow = 1_000_000

// The statement of rates is the generic cell rate algorithm: a key has the time
// at which what it did counts as done, which each request moves on by a gap, and
// which may not be more than a window ahead. A row has all there is to know, so
// that one statement decides across every process, and grants what is left where
// more is asked for. A time further ahead than that, and than a statement that had to
// wait has fallen behind, was written by a clock that has been set back since: it would
// refuse the key until it comes.
func rateStatement(now string) string {
	const (
		room = `(($now+$window-$base)/excluded.gap)`
		free = `CASE WHEN $room<=0 THEN 0 WHEN $room<excluded.asked THEN $room ELSE excluded.asked END`
		base = `(CASE WHEN key_rates.tat>$now+$window+$late THEN $now+$window WHEN key_rates.tat>$now THEN key_rates.tat ELSE $now END)`
	)
	text := `
		INSERT INTO key_rates (key_id, tenant_id, gap, asked, granted, tat)
		SELECT vid, vtenant, vgap, vasked, vfirst, $now+vfirst*vgap FROM v WHERE vid IS NOT NULL
		ON CONFLICT (key_id) DO UPDATE SET gap=excluded.gap, asked=excluded.asked,
			granted=$free, tat=$base+($free)*excluded.gap
		RETURNING key_id, granted, tat-$now`
	for _, part := range [][2]string{
		{"$free", free}, {"$room", room}, {"$base", base},
		{"$window", `$1`}, {"$late", strconv.FormatInt(opLimit.Microseconds(), 10)}, {"$now", `(` + now + `*1000)`},
	} {
		text = strings.ReplaceAll(text, part[0], part[1])
	}
	return text
}

// CountRequests takes from the rates of keys, each of which stands there once,
// and answers in their order. Nothing is taken when it fails.
func (s *Store) CountRequests(ctx context.Context, asks []message.CountAsk) ([]message.RateCount, error) {
	l := list{columns: []column{{"vid", kindUUID}, {"vtenant", kindInt}, {"vgap", kindInt}, {"vasked", kindInt}, {"vfirst", kindInt}}, fixed: []any{int64(rateWindow)}}
	for _, a := range asks {
		l.rows = append(l.rows, []any{a.By.KeyID, a.By.TenantID, gapOf(a.By), int64(a.N), int64(min(a.N, a.By.Rate))})
	}
	slices.SortFunc(l.rows, byUUID) // two processes may ask for the same keys
	counted := map[uuid.UUID]message.RateCount{}
	err := s.tx(ctx, "count requests", func(ctx context.Context, t *txn) error {
		clear(counted)
		return t.last(ctx, t.with(l, rateStatement(t.clock()), func(rows row) error {
			var id uuid.UUID
			var granted, ahead int64
			err := rows.Scan(&id, &granted, &ahead)
			counted[id] = message.RateCount{Granted: int(granted), Full: micros(ahead)}
			return err
		})...)
	})
	if err != nil {
		return nil, err
	}
	answers := make([]message.RateCount, len(asks))
	for i, a := range asks {
		c, ok := counted[a.By.KeyID]
		if !ok {
			return nil, errNotCounted
		}
		left := rateWindow - c.Full.Microseconds()
		c.Left, c.Next = int(max(0, left/gapOf(a.By))), micros(max(0, gapOf(a.By)-left))
		answers[i] = c
	}
	return answers, nil
}

// errNotCounted: the database did not answer for every key.
var errNotCounted = errors.New("a key was not counted")

// gapOf is the time between two requests of a key, in microseconds.
func gapOf(by *message.Grant) int64 { return rateWindow / int64(max(1, by.Rate)) }

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

const dayMillis = int64(24 * time.Hour / time.Millisecond)

// CountRecipients takes from the daily quotas of keys, each of which stands there
// once, and answers in their order. Nothing is taken when it fails.
func (s *Store) CountRecipients(ctx context.Context, asks []message.CountAsk) ([]message.QuotaCount, error) {
	l := list{columns: []column{{"vid", kindUUID}, {"vtenant", kindInt}, {"vquota", kindInt}, {"vasked", kindInt}, {"vfirst", kindInt}}, fixed: []any{dayMillis}}
	for _, a := range asks {
		l.rows = append(l.rows, []any{a.By.KeyID, a.By.TenantID, int64(a.By.DailyQuota), int64(a.N), int64(min(a.N, a.By.DailyQuota))})
	}
	slices.SortFunc(l.rows, byUUID)
	counted := map[uuid.UUID]message.QuotaCount{}
	err := s.tx(ctx, "count recipients", func(ctx context.Context, t *txn) error {
		clear(counted)
		return t.last(ctx, t.with(l, quotaStatement(t.clock()), func(rows row) error {
			var id uuid.UUID
			var c message.QuotaCount
			var next int64
			err := rows.Scan(&id, &c.Granted, &c.Left, &c.Day, &next)
			c.Next = time.Duration(next) * time.Millisecond
			counted[id] = c
			return err
		})...)
	})
	if err != nil {
		return nil, err
	}
	answers := make([]message.QuotaCount, len(asks))
	for i, a := range asks {
		c, ok := counted[a.By.KeyID]
		if !ok {
			return nil, errNotCounted
		}
		answers[i] = c
	}
	return answers, nil
}

// quotaStatement grants what is left of the day where more is asked for. A clock
// that steps back over midnight goes on with the later day. A day further ahead was
// written by a clock that was wrong: what was used then counts as used today.
func quotaStatement(now string) string {
	const (
		room = `($quota-$used)`
		used = `(CASE WHEN key_quotas.day<excluded.day THEN 0 ELSE key_quotas.used END)`
		free = `(CASE WHEN $room<=0 THEN 0 WHEN $room<excluded.asked THEN $room ELSE excluded.asked END)`
	)
	text := `
		INSERT INTO key_quotas (key_id, tenant_id, quota, day, asked, granted, used)
		SELECT vid, vtenant, vquota, $now/$1, vasked, vfirst, vfirst FROM v WHERE vid IS NOT NULL
		ON CONFLICT (key_id) DO UPDATE SET quota=excluded.quota, asked=excluded.asked,
			granted=$free, used=$used+$free,
			day=CASE WHEN key_quotas.day BETWEEN excluded.day AND excluded.day+1 THEN key_quotas.day ELSE excluded.day END
		RETURNING key_id, granted, quota-used, day, (day+1)*$1-$now`
	for _, part := range [][2]string{
		{"$free", free}, {"$room", room}, {"$used", used}, {"$quota", `excluded.quota`}, {"$now", now},
	} {
		text = strings.ReplaceAll(text, part[0], part[1])
	}
	return text
}

// ReturnRecipients gives back what was taken and not used. Another day by then,
// there is nothing to give back to.
func (s *Store) ReturnRecipients(ctx context.Context, returns []message.QuotaReturn) error {
	l := list{columns: []column{{"vid", kindUUID}, {"vtenant", kindInt}, {"vday", kindInt}, {"vn", kindInt}}}
	for _, r := range returns {
		l.rows = append(l.rows, []any{r.KeyID, r.TenantID, r.Day, int64(r.N)})
	}
	slices.SortFunc(l.rows, byUUID)
	return s.tx(ctx, "give recipients back", func(ctx context.Context, t *txn) error {
		return t.each(ctx, l, `UPDATE key_quotas SET used=CASE WHEN used<vn THEN 0 ELSE used-vn END FROM v
			WHERE key_id=vid AND tenant_id=vtenant AND day=vday`, nil)
	})
}
