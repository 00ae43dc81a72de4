package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// symptom is how a process shows a fault.
type symptom struct {
	process *process
	metrics string // its address
	part    string
	cause   string
	status  int // of /readyz
}

// Somebody who watches /readyz, the metrics or the log alone learns of each fault
// from any of them, with the same word for it, and of its end.
func TestEachFaultIsVisibleAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	host := newVirtualHost(t)
	s, cable := stackOnCable(t, setting{
		script: smtptest.Script{Listen: freeAddress(t)}, // one at which it can be again after a while
		env:    map[string]string{"POSTRIDER_RABBITMQ_URL": host.url, "POSTRIDER_CONSUMERS": "high:2,normal:2"}, consumers: 1,
	})
	on := func(p *process, part, cause string, status int) symptom {
		metrics := s.metrics[0]
		if p != s.producer {
			metrics = s.metrics[1]
		}
		return symptom{p, metrics, part, cause, status}
	}
	producer, consumer := s.producer, s.workers[0]
	relayHost := s.relay.Addr()
	queue := s.queueOf(message.LaneNormal)

	for _, c := range []struct {
		fault      string
		harm, mend func()
		symptoms   []symptom
	}{
		{
			"the database is cut off", func() { cable.set(true) }, func() { cable.set(false) },
			[]symptom{on(producer, "database", "away", 503), on(consumer, "database", "away", 503)},
		},
		{
			"the broker refuses the user", host.forbid, host.permit,
			[]symptom{on(producer, "rabbitmq publisher", "refused", 200), on(consumer, "rabbitmq consumer", "refused", 503)},
		},
		{
			"a queue has other arguments", func() { host.replace(queue) }, func() { host.remove(queue) },
			[]symptom{on(producer, "rabbitmq publisher", "topology", 200), on(consumer, "rabbitmq consumer", "topology", 503)},
		},
		{
			"the relay host is down", func() { s.relay.Close(); s.post(mail("ann@example.com")) },
			func() { s.relay = smtptest.New(t, smtptest.Script{Listen: relayHost}) },
			[]symptom{on(consumer, "relay host", "away", 200)},
		},
		{
			"nobody consumes a lane",
			func() { s.post(mail("bob@example.com").with("lane", "low")); s.ageUnclaimed() },
			func() { s.env["POSTRIDER_CONSUMERS"] = "low:1"; s.startConsumer() },
			[]symptom{on(producer, "queue", "no_consumers", 200)},
		},
	} {
		t.Log(c.fault)
		before := map[symptom]int{}
		for _, m := range c.symptoms {
			before[m] = m.told("fault is over")
		}
		c.harm()
		for _, m := range c.symptoms {
			s.shows(m)
		}
		c.mend()
		for _, m := range c.symptoms {
			s.recovers(m, before[m])
		}
	}
}

// shows waits until the fault is seen in all three places.
func (s *stack) shows(m symptom) {
	s.Helper()
	var status int
	s.eventually(fmt.Sprintf("/readyz of the %s says %s: %s", m.process.name, m.part, m.cause), func() bool {
		var check map[string]string
		status, check = m.ready()
		return status == m.status && check["cause"] == m.cause && check["remedy"] != "" && check["status"] != "ok"
	})
	label := strings.ReplaceAll(m.part, " ", "_")
	if n := s.scrape(m.metrics)[fmt.Sprintf(`postrider_faults_total{cause="%s",part="%s"}`, m.cause, label)]; n < 1 {
		s.Errorf("%s: %s counted %v times by the %s", m.part, m.cause, n, m.process.name)
	}
	s.eventually(fmt.Sprintf("the log of the %s tells of %s: %s with a remedy", m.process.name, m.part, m.cause), func() bool {
		return m.told("fault") > 0 // it comes through a pipe
	})
}

// recovers waits until all three say that the fault is over.
func (s *stack) recovers(m symptom, before int) {
	s.Helper()
	s.eventually(fmt.Sprintf("the %s finds the %s well again", m.process.name, m.part), func() bool {
		_, check := m.ready()
		return check["status"] == "ok"
	})
	s.eventually(fmt.Sprintf("the log of the %s says that %s is over", m.process.name, m.cause), func() bool {
		return m.told("fault is over") > before
	})
	label := strings.ReplaceAll(m.part, " ", "_")
	if d := s.scrape(m.metrics)[fmt.Sprintf(`postrider_fault_seconds_total{part="%s"}`, label)]; d <= 0 {
		s.Errorf("%s of the %s was at fault for %v s", m.part, m.process.name, d)
	}
}

// ready is what /readyz answers, and says of the part.
func (m symptom) ready() (status int, check map[string]string) {
	res, err := http.Get(m.metrics + "/readyz")
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct{ Checks []map[string]string }
	_ = json.NewDecoder(res.Body).Decode(&answer)
	for _, c := range answer.Checks {
		if c["name"] == m.part {
			check = c
		}
	}
	return res.StatusCode, check
}

// told counts the lines of the log about the fault; what begins one names a
// remedy.
func (m symptom) told(msg string) (n int) {
	for line := range strings.Lines(m.process.out.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) != nil || entry["msg"] != msg || entry["part"] != m.part {
			continue
		}
		remedy, _ := entry["remedy"].(string)
		if msg != "fault" || entry["cause"] == m.cause && remedy != "" { // on its way to the end the cause may change
			n++
		}
	}
	return n
}

// ageUnclaimed makes the mail of the lane low a minute older that is with the
// broker.
func (s *stack) ageUnclaimed() {
	s.Helper()
	db := s.db()
	s.eventually("the copy is with the broker", func() bool {
		res, err := db.ExecContext(s.Context(), `UPDATE deliveries SET published_at=published_at-60000 WHERE status='queued' AND published_at IS NOT NULL AND lane='low'`)
		if err != nil {
			return false
		}
		n, _ := res.RowsAffected()
		return n == 1
	})
}

// virtualHost is one of the story's own at the shared broker, with a user who has
// nothing else.
type virtualHost struct {
	testing.TB
	name, url  string
	management *url.URL
	admin      string // its URL for the administrator
}

func newVirtualHost(t testing.TB) *virtualHost {
	t.Helper()
	v := &virtualHost{TB: t, name: "story-" + uuid.NewString()}
	management, err := url.Parse(service(t, "POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL"))
	if err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_MANAGEMENT_URL cannot be read")
	}
	v.management = management
	u, err := url.Parse(service(t, "POSTRIDER_TEST_RABBITMQ_URL"))
	if err != nil {
		t.Fatal("POSTRIDER_TEST_RABBITMQ_URL cannot be read")
	}
	u.Path = "/" + v.name
	v.admin = u.String()
	u.User = url.UserPassword(v.name, "geheim")
	v.url = u.String()
	v.call(http.MethodPut, "/api/vhosts/"+v.name, nil)
	v.call(http.MethodPut, "/api/users/"+v.name, map[string]string{"password": "geheim", "tags": ""})
	t.Cleanup(func() {
		v.call(http.MethodDelete, "/api/users/"+v.name, nil)
		v.call(http.MethodDelete, "/api/vhosts/"+v.name, nil)
	})
	v.permit()
	v.allow(v.management.User.Username())
	return v
}

func (v *virtualHost) permit() { v.allow(v.name) }

func (v *virtualHost) allow(user string) {
	v.Helper()
	v.call(http.MethodPut, "/api/permissions/"+v.name+"/"+user, map[string]string{"configure": ".*", "write": ".*", "read": ".*"})
}

// forbid takes the permissions away and ends the connections, as a restart of the
// broker would: those that are open go on for a while.
func (v *virtualHost) forbid() {
	v.Helper()
	v.call(http.MethodDelete, "/api/permissions/"+v.name+"/"+v.name, nil)
	v.call(http.MethodDelete, "/api/connections/username/"+v.name, nil)
}

// replace puts a queue of other make in the place of one.
func (v *virtualHost) replace(queue string) {
	v.Helper()
	v.direct(func(ch *amqp.Channel) error {
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			return err
		}
		_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
		return err
	})
	v.call(http.MethodDelete, "/api/connections/username/"+v.name, nil)
}

func (v *virtualHost) remove(queue string) {
	v.Helper()
	v.direct(func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(queue, false, false, false)
		return err
	})
}

// direct runs on a connection of the administrator's.
func (v *virtualHost) direct(do func(*amqp.Channel) error) {
	v.Helper()
	conn, err := amqp.Dial(v.admin)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err == nil {
		err = do(ch)
	}
	if err != nil {
		v.Fatal(err)
	}
}

// call asks the broker's management API; what is not there is fine.
func (v *virtualHost) call(method, path string, body any) {
	v.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		v.Fatal(err)
	}
	target := *v.management
	req, err := http.NewRequest(method, target.JoinPath(path).String(), bytes.NewReader(sent))
	if err != nil {
		v.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 && res.StatusCode != http.StatusNotFound {
		v.Fatalf("%s %s: %s", method, path, res.Status)
	}
}
