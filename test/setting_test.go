package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func TestABadSettingStopsTheStartAndNamesTheRemedy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program string
		env     []string
		want    []string
	}{
		{"producer", nil, []string{"POSTRIDER_DATABASE_URL", "POSTRIDER_RABBITMQ_URL", "postrider serve", "POSTRIDER_API_KEYS"}},
		{"consumer", []string{"POSTRIDER_SMPT_URL=smtp://x"}, []string{"POSTRIDER_SMPT_URL", "POSTRIDER_SMTP_URL"}},
		{"consumer", []string{"POSTRIDER_LEASE=soon"}, []string{"POSTRIDER_LEASE", "20s"}},
		{"producer", []string{"POSTRIDER_DATABASE_URL=mysql://u:geheim@h/d"}, []string{"POSTRIDER_DATABASE_URL", "postgres://"}},
	} {
		p := launch(t, c.program, c.env)
		<-p.done
		if p.torn = true; p.err == nil {
			t.Errorf("%s with %v started", c.program, c.env)
		}
		for _, want := range c.want {
			if !strings.Contains(p.out.String(), want) {
				t.Errorf("%s with %v does not say %s:\n%s", c.program, c.env, want, p.out)
			}
		}
		if strings.Contains(p.out.String(), "geheim") {
			t.Errorf("%s shows a password", c.program)
		}
	}
}

// Somebody has declared the queue differently: the producer accepts, says which
// queue it is and what to do, and goes on by itself once that was done.
func TestAQueueOfOtherArgumentsIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStack(t, distributed, setting{consumers: 1})
	ch := s.channel()
	s.workers[0].stop()
	s.producer.stop()
	queue := s.queueOf(message.LaneNormal)
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	s.producer = launch(t, "producer", s.producerEnviron())
	s.eventually("the queue is named with the remedy", func() bool {
		res, err := s.request(http.MethodGet, "/readyz", "", nil)
		return err == nil && strings.Contains(string(res.body), queue) && strings.Contains(string(res.body), "delete")
	})
	id := s.post(mail(uuid.NewString() + "@example.com"))
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	s.startConsumer()
	sentOnce(s, id)
}
