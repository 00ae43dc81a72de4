package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// Mail hosts bound the sessions of one client, Postfix to 50. A consumer that may
// send more mails at a time goes on with those it gets: a refusal of one more
// stops nothing and is charged to no mail.
func TestARelayHostOfFewSessionsIsUsedInTurn(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			// Whoever posts slowly would have each mail sent before the next: so none ends
			// before one session more was refused.
			refused := make(chan struct{})
			rule := smtptest.Rule{At: smtptest.Dot, Delay: 5 * time.Millisecond, Wait: refused}
			s := newStack(t, m, setting{
				script:    smtptest.Script{MaxSessions: 3, Rules: []smtptest.Rule{rule}},
				env:       map[string]string{"POSTRIDER_CONSUMERS": "critical:1,high:1,normal:16,low:1"},
				consumers: 1,
			})
			go func() {
				if s.relay.Await(t.Context(), func(st smtptest.Stats) bool { return st.Refused > 0 }) == nil {
					close(refused)
				}
			}()
			s.sendInTurn(200)
		})
	}
}

// sendInTurn sends mails over the few sessions that the relay host admits.
func (s *stack) sendInTurn(mails int) {
	s.Helper()
	ids := make([]string, mails)
	for i := range ids {
		ids[i] = s.post(mail(fmt.Sprintf("%d@example.com", i)))
	}
	for _, id := range ids {
		if e := s.await(id, message.StatusSent); len(e.Attempts) != 1 {
			s.Errorf("the history of %s says %+v", id, e.Attempts)
		}
	}
	seen := map[string]int{}
	for _, m := range s.relay.Mails() {
		seen[m.Rcpts[0]]++
	}
	for i := range mails {
		if to := fmt.Sprintf("%d@example.com", i); seen[to] != 1 {
			s.Errorf("%s got %d mails", to, seen[to])
		}
	}
	for _, w := range s.workers {
		if strings.Contains(w.out.String(), "relay host takes no mail") {
			s.Errorf("%s paused", w.name)
		}
	}
}
