//go:build upgrade

package test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// These stories mix the programs of this commit with those of an earlier one.
// They build both, so they run by themselves: make upgrade-test.

// earlier is the commit that plays the version in use. It is taken from the
// history, so what runs is what was built then.
const earlier = "fb88d95b56659ff5ab0f0543f1bded01cea00db8"

// age says which programs are meant.
type age string

const (
	old   age = "old/"
	today age = ""
)

// version is what the programs of that age report: see buildOld and TestMain.
func (a age) version() string {
	if a == old {
		return "old"
	}
	return "dev"
}

// buildOld puts the programs of the earlier commit beside those under test.
var buildOld = sync.OnceValue(func() error {
	source, err := os.MkdirTemp(binaries, "source-")
	if err != nil {
		return err
	}
	if err := extract(earlier, source); err != nil {
		return err
	}
	build := exec.Command("go", "build", detectRaces, "-ldflags", "-X main.version="+old.version(),
		"-o", filepath.Join(binaries, string(old))+"/", "./cmd/...")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs of %.7s: %w\n%s", earlier, err, out)
	}
	return nil
})

// extract writes the files of a commit into dir.
func extract(commit, dir string) error {
	if out, err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		return fmt.Errorf("commit %.7s, whose programs play the version in use, is not in this clone: %w: %s\n"+
			"remedy: get the whole history with 'git fetch --unshallow' (on a CI server, a checkout with fetch-depth 0)", commit, err, out)
	}
	archive := exec.Command("git", "-C", "..", "archive", "--format=tar", commit)
	unpack := exec.Command("tar", "-x", "-C", dir)
	pipe, err := archive.StdoutPipe()
	if err != nil {
		return err
	}
	unpack.Stdin = pipe
	if err := unpack.Start(); err != nil {
		return err
	}
	if err := archive.Run(); err != nil {
		return fmt.Errorf("git archive %.7s: %w", commit, err)
	}
	return unpack.Wait()
}

// upgradable is a distributed stack on tables that both ages have brought up to
// date, without any process yet.
func upgradable(t *testing.T, script smtptest.Script) *stack {
	t.Helper()
	if err := buildOld(); err != nil {
		t.Fatal(err)
	}
	s := configured(t, distributed, setting{script: script})
	s.useServices()
	s.env["POSTRIDER_DATABASE_URL"] = s.database
	s.env["POSTRIDER_CONSUMERS"] = "critical:1,high:1,normal:4,low:1"
	s.api = "http://" + freeAddress(t)
	s.migrateWith(old)
	return s
}

func (s *stack) migrateWith(a age) {
	s.Helper()
	launch(s.TB, string(a)+"postrider", []string{"POSTRIDER_DATABASE_URL=" + s.database}, "migrate").ends()
}

func (s *stack) startProducerOf(a age) {
	s.Helper()
	s.producer = launch(s.TB, string(a)+"producer", s.producerEnviron())
	s.awaitReady(s.producer, s.api)
}

func (s *stack) startConsumerOf(a age) *process {
	s.Helper()
	p := launch(s.TB, string(a)+"consumer", s.environ(s.metricsListen()))
	s.awaitReady(p, s.metrics[len(s.metrics)-1])
	return p
}

// load posts mails, each to a recipient of its own, until it is told to stop. A
// caller whose request fails repeats it under the same key.
type load struct {
	s       *stack
	stopped chan struct{}
	callers sync.WaitGroup
	posted  atomic.Int64
	mu      sync.Mutex
	ids     []string
}

func (s *stack) underLoad() *load {
	l := &load{s: s, stopped: make(chan struct{})}
	for range 8 {
		l.callers.Go(l.call)
	}
	return l
}

func (l *load) call() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-l.stopped:
			return
		case <-tick.C:
			l.one(l.posted.Add(1), tick.C)
		}
	}
}

// one posts a mail until it is accepted. Pace keeps the repetitions from taking the
// machine away from the producer that is being started.
func (l *load) one(n int64, pace <-chan time.Time) {
	deadline := time.Now().Add(patience)
	for ; time.Now().Before(deadline); <-pace {
		status, id, body := l.s.tryPost(mail(fmt.Sprintf("%d@example.com", n)), fmt.Sprintf("key-%d", n))
		switch status {
		case http.StatusAccepted:
			l.mu.Lock()
			l.ids = append(l.ids, id)
			l.mu.Unlock()
			return
		case 0, http.StatusServiceUnavailable: // a producer is being replaced
		default:
			l.s.Errorf("mail %d: %d %s", n, status, body)
			return
		}
	}
	l.s.Errorf("mail %d was never accepted", n)
}

// more waits until n more mails were posted since now.
func (l *load) more(n int64) {
	l.s.Helper()
	until := l.posted.Load() + n
	l.s.eventually("more mails are posted", func() bool { return l.posted.Load() >= until })
}

// allSentOnce stops the load and holds what came of it against the relay host's
// record.
func (l *load) allSentOnce() {
	l.s.Helper()
	close(l.stopped)
	l.callers.Wait()
	for _, id := range l.ids {
		if e := l.s.await(id, message.StatusSent); len(e.Attempts) != 1 {
			l.s.Errorf("the history of %s says %+v", id, e.Attempts)
		}
	}
	got := map[string]int{}
	for _, m := range l.s.relay.Mails() {
		got[m.Rcpts[0]]++
	}
	for n := range l.posted.Load() {
		if to := fmt.Sprintf("%d@example.com", n+1); got[to] != 1 {
			l.s.Errorf("%s got %d mails", to, got[to])
		}
	}
	l.s.Logf("%d mails, each sent once", len(l.ids))
}

// sentBy counts the tries by the version of the worker.
func (s *stack) sentBy() map[string]int {
	s.Helper()
	rows, err := s.db().QueryContext(s.Context(),
		`SELECT w.version, count(*) FROM attempts a JOIN workers w ON w.id = a.worker_id GROUP BY w.version`)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	counts := map[string]int{}
	for rows.Next() {
		var version string
		var n int
		if err := rows.Scan(&version, &n); err != nil {
			s.Fatal(err)
		}
		counts[version] = n
	}
	if err := rows.Err(); err != nil {
		s.Fatal(err)
	}
	return counts
}

// In every mix the mails of either producer are sent once, by whichever consumer.
func TestUpgradeOldAndNewProgramsShareTheWork(t *testing.T) {
	for _, mix := range []struct {
		name      string
		producer  age
		consumers []age
	}{
		{"old producer, new consumers", old, []age{today, today}},
		{"new producer, old consumers", today, []age{old, old}},
		{"old producer, both consumers", old, []age{old, today}},
		{"new producer, both consumers", today, []age{old, today}},
	} {
		t.Run(mix.name, func(t *testing.T) {
			t.Parallel()
			s := upgradable(t, smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: 10 * time.Millisecond}}})
			s.migrateWith(today)
			s.startProducerOf(mix.producer)
			for _, a := range mix.consumers {
				s.startConsumerOf(a)
			}
			l := s.underLoad()
			l.more(500)
			l.allSentOnce()
			by := s.sentBy()
			for _, a := range mix.consumers {
				if by[a.version()] < 50 {
					t.Errorf("the %q consumer sent %d mails: %v", a.version(), by[a.version()], by)
				}
			}
		})
	}
}

// The programs are replaced one by one while mails come in: forward, back to
// what was there before, and forward again. The tables are brought up to date
// first, under the old programs, and stay so.
func TestUpgradeByReplacingOneByOneLosesNothingAndSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := upgradable(t, smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Dot, Delay: 10 * time.Millisecond}}})
	s.startProducerOf(old)
	consumers := []*process{s.startConsumerOf(old), s.startConsumerOf(old)}
	l := s.underLoad()
	l.more(100)
	s.migrateWith(today)
	for _, a := range []age{today, old, today} {
		for i := range consumers {
			fresh := s.startConsumerOf(a)
			consumers[i].stop()
			consumers[i] = fresh
			l.more(100)
		}
		s.producer.stop()
		s.startProducerOf(a)
		l.more(100)
	}
	l.allSentOnce()
	if by := s.sentBy(); by["old"] < 100 || by["dev"] < 100 {
		t.Errorf("sent by version: %v", by)
	}
}

// A claim says the same to both: what one has begun and not marked, the other
// takes over at once when the first one dies.
func TestUpgradeLeavesNoMailOfAKilledConsumerOfEitherVersion(t *testing.T) {
	for _, c := range []struct {
		name           string
		victim, rescue age
	}{{"new from old", old, today}, {"old from new", today, old}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var f fuse
			s := upgradable(t, smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Data, Do: f.blow}}})
			s.migrateWith(today)
			s.startProducerOf(today)
			victim := s.startConsumerOf(c.victim)
			killed := make(chan struct{})
			f.set(func() { victim.kill(); close(killed) })
			id := s.post(mail("ann@example.com"))
			<-killed
			s.startConsumerOf(c.rescue)
			sentOnce(s, id)
		})
	}
}

// One file, opened by the old version, the new one and the old one again: each
// sends what the one before it left.
func TestUpgradeHandsAFileOnAndBack(t *testing.T) {
	t.Parallel()
	if err := buildOld(); err != nil {
		t.Fatal(err)
	}
	away := smtptest.Rule{At: smtptest.Rcpt, Match: "later", Times: 1, Reply: "451 4.3.0 later"}
	s := configured(t, embedded, setting{script: smtptest.Script{Rules: []smtptest.Rule{away, away, away}}})
	s.database = "sqlite:" + filepath.Join(t.TempDir(), "story.db")
	s.env["POSTRIDER_DATABASE_URL"] = s.database
	s.api = "http://" + freeAddress(t)
	var ids []string
	for i, a := range []age{old, today, old, today} {
		s.producer = launch(t, string(a)+"postrider", s.producerEnviron(), "serve")
		s.awaitReady(s.producer, s.api)
		id := s.post(mail(fmt.Sprintf("later-%d@example.com", i)))
		if ids = append(ids, id); i < 3 {
			s.await(id, message.StatusDelayed)
			s.producer.stop()
		}
	}
	for _, id := range ids {
		s.await(id, message.StatusSent)
	}
	if n := len(s.relay.Mails()); n != len(ids) {
		t.Errorf("%d mails for %d messages", n, len(ids))
	}
}

// What is told to somebody whose clone is too short must hold the remedy.
func TestUpgradeTellsAShortCloneHowToGetTheHistory(t *testing.T) {
	t.Parallel()
	err := extract(strings.Repeat("0", 39)+"1", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Error(err)
	}
}
