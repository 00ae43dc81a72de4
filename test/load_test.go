package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	loadMails   = 2000
	loadCallers = 32
)

// Every one of 2,000 mails from 32 callers, through four consumer processes of
// 16 workers, is found in MailHog exactly once.
func TestTwoThousandMailsArriveExactlyOnce(t *testing.T) {
	mailhog := service(t, "POSTRIDER_TEST_MAILHOG_URL")
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			s := newStack(t, m, setting{
				consumers: 4, smtp: service(t, "POSTRIDER_TEST_SMTP_URL"),
				env: map[string]string{"POSTRIDER_CONSUMERS": "critical:1,high:1,normal:16,low:1"},
			})
			run := uuid.NewString()[24:]
			ids := postAll(s, run)
			for _, id := range ids {
				s.await(id, message.StatusSent)
			}
			got := mailhogRecipients(t, mailhog, run)
			for i := range loadMails {
				if n := got[fmt.Sprintf("%d.%s@example.com", i, run)]; n != 1 {
					t.Errorf("mail %d is in MailHog %d times", i, n)
				}
			}
		})
	}
}

func postAll(s *stack, run string) []string {
	s.Helper()
	ids := make([]string, loadMails)
	var callers sync.WaitGroup
	for c := range loadCallers {
		callers.Go(func() {
			for i := c; i < loadMails; i += loadCallers {
				status, id, body := s.tryPost(mail(fmt.Sprintf("%d.%s@example.com", i, run)), fmt.Sprintf("%s-%d", run, i))
				if status != http.StatusAccepted {
					s.Errorf("mail %d: %d %s", i, status, body)
				}
				ids[i] = id
			}
		})
	}
	callers.Wait()
	if s.Failed() {
		s.FailNow()
	}
	return ids
}

// mailhogRecipients counts the mails of a run by their recipient.
func mailhogRecipients(t testing.TB, base, run string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for start := 0; ; {
		q := url.Values{"kind": {"to"}, "query": {run}, "start": {fmt.Sprint(start)}, "limit": {"250"}}
		res, err := http.Get(base + "/api/v2/search?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Total int
			Items []struct {
				To []struct{ Mailbox, Domain string }
			}
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			counts[m.To[0].Mailbox+"@"+m.To[0].Domain]++
		}
		if start += len(page.Items); len(page.Items) == 0 || start >= page.Total {
			return counts
		}
	}
}
