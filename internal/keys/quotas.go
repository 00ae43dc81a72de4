package keys

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/batch"
	"github.com/postrider/postrider/internal/message"
)

// quotas counts recipients, those that wait together in one statement.
type quotas struct {
	counter Counter
	log     *slog.Logger
	group   *batch.Batcher[demand, supply]
}

// demand is the messages of one request, by their recipients.
type demand struct {
	by    *message.Grant
	sizes []int
}

// supply says which messages fit.
type supply struct {
	fits []bool
	day  int64
	left int           // of the day's
	next time.Duration // until the next day
	err  error
}

func newQuotas(c Counter, log *slog.Logger) *quotas {
	q := &quotas{counter: c, log: log}
	q.group = batch.New(group, q.count)
	return q
}

// Admit implements accept.Guard: it holds messages to the senders and the daily
// quota of their key.
func (k *Keyring) Admit(ctx context.Context, by *message.Grant, messages []*message.Message) []message.Admission {
	admissions := make([]message.Admission, len(messages))
	d := demand{by: by}
	var asking []int
	for i, m := range messages {
		_, domain, _ := strings.Cut(m.Head.From.Email, "@")
		if !by.AllowsSender(domain) {
			admissions[i].Err = &message.Error{Code: message.CodeDomainNotAllowed, Detail: "this API key may not send from " + domain}
			continue
		}
		asking, d.sizes = append(asking, i), append(d.sizes, len(m.Recipients()))
	}
	if by.DailyQuota > 0 && len(asking) > 0 {
		k.quotas.take(ctx, d, func(i int, a message.Admission) { admissions[asking[i]] = a })
	}
	return admissions
}

// take asks for a request's messages and tells what becomes of each.
func (q *quotas) take(ctx context.Context, d demand, tell func(int, message.Admission)) {
	s, err := q.group.Do(ctx, d)
	if err == nil {
		err = s.err
	}
	for i, n := range d.sizes {
		switch {
		case err != nil:
			tell(i, message.Admission{Err: unavailable("count recipients", err)})
		case s.fits[i]:
			tell(i, message.Admission{Recipients: n, Day: s.day})
		default:
			tell(i, message.Admission{Err: &message.Error{
				Code: message.CodeDailyQuota, RetryAfter: s.next,
				Detail: fmt.Sprintf("this key may send to %d recipients a day, of whom %d are left until midnight UTC", d.by.DailyQuota, s.left),
			}})
		}
	}
}

// count asks for all that wait, key by key, and gives what is granted to the
// messages that came first, each whole. What fits none goes back.
func (q *quotas) count(ctx context.Context, all []demand) []supply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asks, place := sum(all, func(d demand) (*message.Grant, int) { return d.by, total(d.sizes) })
	counts, err := q.counter.CountRecipients(ctx, asks)
	answers := make([]supply, len(all))
	for i, d := range all {
		if err != nil {
			answers[i].err = err
			continue
		}
		answers[i] = deal(d, &counts[place[d.by.KeyID]])
	}
	if err == nil {
		q.giveBack(ctx, unused(asks, counts))
	}
	return answers
}

// deal takes a request's messages off what was granted.
func deal(d demand, c *message.QuotaCount) supply {
	s := supply{day: c.Day, next: c.Next}
	for _, n := range d.sizes {
		fits := n <= c.Granted
		if fits {
			c.Granted -= n
		}
		s.fits = append(s.fits, fits)
	}
	s.left = c.Left + c.Granted
	return s
}

func unused(asks []message.CountAsk, counts []message.QuotaCount) (returns []message.QuotaReturn) {
	for i, c := range counts {
		if c.Granted > 0 {
			by := asks[i].By
			returns = append(returns, message.QuotaReturn{KeyUse: message.KeyUse{TenantID: by.TenantID, KeyID: by.KeyID}, Day: c.Day, N: c.Granted})
		}
	}
	return returns
}

// GiveBack implements accept.Guard. What cannot be given back stays counted: a
// quota is rather used up early than passed.
func (k *Keyring) GiveBack(ctx context.Context, by *message.Grant, admissions []message.Admission) {
	days := map[int64]int{}
	for _, a := range admissions {
		if a.Err == nil && a.Recipients > 0 {
			days[a.Day] += a.Recipients
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // the caller may have left
	defer cancel()
	for day, n := range days {
		k.quotas.giveBack(ctx, []message.QuotaReturn{{KeyUse: message.KeyUse{TenantID: by.TenantID, KeyID: by.KeyID}, Day: day, N: n}})
	}
}

func (q *quotas) giveBack(ctx context.Context, returns []message.QuotaReturn) {
	if len(returns) == 0 {
		return
	}
	if err := q.counter.ReturnRecipients(ctx, returns); err != nil {
		q.log.Warn("recipients of a daily quota were not given back", "error", err)
	}
}

func total(sizes []int) int {
	n := 0
	for _, size := range sizes {
		n += size
	}
	return n
}
