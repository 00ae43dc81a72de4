package test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// Mails that wait in great number travel in parcels. Of a parcel whose consumer is
// killed before a final dot, every mail is sent, and once.
func TestAParcelWhoseConsumerDiesIsSentOnce(t *testing.T) {
	const mails = 150
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			var f fuse
			rule := smtptest.Rule{At: smtptest.Rcpt, Skip: mails / 3, Do: f.blow}
			s := newStack(t, m, setting{
				script: smtptest.Script{Rules: []smtptest.Rule{rule}}, consumers: 1,
				env: map[string]string{"POSTRIDER_QUEUE_PARCEL": "16", "POSTRIDER_CONSUMERS": "critical:1,high:1,normal:1,low:1"},
			})
			killed := make(chan struct{})
			victim := s.workers[0]
			f.set(func() { victim.kill(); close(killed) })
			at := time.Now().Add(10 * time.Second).UTC().Format(time.RFC3339Nano) // due together, after they are posted
			emails := make([]email, mails)
			for i := range emails {
				emails[i] = mail(fmt.Sprintf("%d@example.com", i)).with("scheduled_at", at)
			}
			status, posted := s.postBatch(emails, "")
			if status != http.StatusAccepted {
				t.Fatalf("post: %d", status)
			}
			<-killed
			s.restart(victim)
			for _, sent := range posted.Data {
				s.await(sent.ID, message.StatusSent)
			}
			copies := map[string]int{}
			for _, tx := range s.relay.Mails() {
				copies[tx.Rcpts[0]]++
			}
			for to, n := range copies {
				if n != 1 {
					t.Errorf("%s got %d copies", to, n)
				}
			}
			if len(copies) != mails {
				t.Errorf("%d of %d were sent", len(copies), mails)
			}
		})
	}
}
