//go:build databasefaults

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
	"github.com/postrider/postrider/internal/store"
)

// TestServerKilled kills the postmaster again and again under load.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	s := newServer(t, "", "")
	l := live(t, s.url())
	for range 5 {
		l.awaitMore(50)
		s.kill()
		l.awaitTrouble()
		s.start()
	}
	l.awaitMore(50)
	lost := l.lost(s)
	t.Logf("5 kills: %d acknowledged, %d lost, %d sent twice; %d calls told that the database is away",
		l.count(), lost, l.twice(), l.unavailable.Load())
	if lost > 0 || l.unavailable.Load() == 0 {
		t.Errorf("%d lost; %d calls met the fault", lost, l.unavailable.Load())
	}
	if l.twice() > 0 {
		t.Errorf("%d mails were sent twice though no worker died", l.twice())
	}
}

// TestServerFailsOverToASynchronousStandby kills the primary under load and
// promotes the standby, without which no commit was answered.
func TestServerFailsOverToASynchronousStandby(t *testing.T) {
	t.Parallel()
	primary := newServer(t, "", "")
	standby := primary.standby()
	primary.ask(nil, `ALTER SYSTEM SET synchronous_standby_names='*'`)
	primary.ask(nil, `SELECT pg_reload_conf()`)
	primary.eventually("commits wait for the standby", `SELECT COUNT(*)=1 FROM pg_stat_replication WHERE sync_state='sync'`)
	l := live(t, primary.url(standby))
	l.awaitMore(200)
	primary.kill()
	standby.promote()
	promoted := time.Now()
	l.awaitMore(1)
	healed := time.Since(promoted)
	l.awaitMore(200)
	lost := l.lost(standby)
	t.Logf("synchronous: accepted again %v after the promotion; %d acknowledged, %d lost, %d sent twice; %d calls told that the database is away",
		healed, l.count(), lost, l.twice(), l.unavailable.Load())
	if lost > 0 || l.unavailable.Load() == 0 {
		t.Errorf("%d lost; %d calls met the fault", lost, l.unavailable.Load())
	}
}

// TestServerFailsOverToALaggingStandby shows what asynchronous replication
// costs. What the standby had not heard of is gone, as Postgres says; a mail of
// which it had not heard that it was sent goes out once more; and nothing else
// comes of either: a copy of what is gone leads nowhere.
func TestServerFailsOverToALaggingStandby(t *testing.T) {
	t.Parallel()
	primary := newServer(t, "", "")
	standby := primary.standby()
	s, err := store.Open(t.Context(), store.Config{
		URL: primary.url(standby), Worker: message.Process{ID: uuid.New()}, Lease: lifeLease,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	known, gone := mail(), mail()
	post(t, s, known)
	held := claimOf(t, s, known, 1)
	if ok, err := s.Mark(t.Context(), held); err != nil || !ok[0] {
		t.Fatal(ok, err)
	}
	primary.eventually("the standby has all that", `SELECT BOOL_AND(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication`)
	standby.ask(nil, `ALTER SYSTEM SET primary_conninfo=''`)
	standby.ask(nil, `SELECT pg_reload_conf()`)
	primary.eventually("the standby hears nothing any more", `SELECT COUNT(*)=0 FROM pg_stat_replication`)

	if err := s.Record(t.Context(), []message.Outcome{{Held: held[0], Kind: message.OutcomeSent}})[0]; err != nil {
		t.Fatal(err)
	}
	post(t, s, gone)
	primary.kill()
	standby.promote()
	deadline := time.Now().Add(time.Minute)
	for err = s.Ping(t.Context()); err != nil && time.Now().Before(deadline); err = s.Ping(t.Context()) {
		if !errors.Is(err, message.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if _, err := s.Email(t.Context(), message.DefaultTenant, gone.Message.ID); !errors.Is(err, message.ErrNotFound) {
		t.Errorf("the standby had heard of it: %v", err)
	}
	copyOf := message.Bid{Ref: message.Ref{Key: message.Key{MessageID: gone.Message.ID}, Dispatch: 1}}
	if claims, err := s.Claim(t.Context(), []message.Bid{copyOf}); err != nil || claims[0].State != message.ClaimMissing {
		t.Errorf("a copy of what is gone: %+v %v", claims, err)
	}
	again := 0
	for status := message.StatusSending; status != message.StatusSent && time.Now().Before(deadline); {
		if _, err := s.SweepLeases(t.Context(), time.Now(), 10, 0); err != nil {
			t.Fatal(err)
		}
		view, err := s.Email(t.Context(), message.DefaultTenant, known.Message.ID)
		if err != nil {
			t.Fatal(err)
		}
		if status = view.Deliveries[0].Status; status == message.StatusQueued {
			again++
			held := claimOf(t, s, known, view.Deliveries[0].Dispatch)
			if err := s.Record(t.Context(), []message.Outcome{{Held: held[0], Kind: message.OutcomeSent}})[0]; err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("asynchronous: 1 acknowledged and lost; 1 recorded as sent and sent %d times more", again)
	if again != 1 {
		t.Errorf("sent %d times more, want once", again)
	}
}

func claimOf(t *testing.T, s *store.Store, m message.Submission, dispatch int32) []message.Held {
	t.Helper()
	ref := message.Ref{Key: message.Key{MessageID: m.Message.ID}, Dispatch: dispatch}
	claims, err := s.Claim(t.Context(), []message.Bid{{Ref: ref}})
	if err != nil || claims[0].State != message.ClaimTaken {
		t.Fatalf("claim %+v: %v", claims, err)
	}
	return []message.Held{claims[0].Work.Held}
}

// disk mounts a small file system, which needs root.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postrider-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("a small disk cannot be mounted; run this as root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes all room that is left on the disk, and returns what gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

// large is a mail that needs room of its own.
func large() message.Submission {
	m := mail()
	data := make([]byte, 1<<20)
	for i := range data { // nothing that could be compressed away
		data[i] = byte(uint32(i) * 2654435761 >> 13)
	}
	m.Message.Attachments = []message.Attachment{{
		Filename: "a", ContentType: "text/plain", Disposition: "attachment", Size: int64(len(data)), Data: data,
	}}
	return m
}

// refusedForRoom posts until there is no room, and returns what was accepted.
func refusedForRoom(t *testing.T, s *store.Store) (accepted []message.Submission) {
	t.Helper()
	for range 100 {
		m := large()
		err := s.Accept(t.Context(), []message.Submission{m})[0].Err
		if err == nil {
			accepted = append(accepted, m)
			continue
		}
		if !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("a full disk is blamed on the request: %v", err)
		}
		t.Logf("after %d mails: %v", len(accepted), err)
		return accepted
	}
	t.Fatal("the disk does not get full")
	return nil
}

// heals posts until a mail is accepted, and reads all that was accepted before.
func heals(t *testing.T, s *store.Store, accepted []message.Submission) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for err := message.ErrUnavailable; err != nil; {
		if err = s.Accept(t.Context(), []message.Submission{large()})[0].Err; err == nil {
			break
		}
		if !errors.Is(err, message.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("it does not heal: %v", err)
		}
		_ = pause.For(t.Context(), 20*time.Millisecond) // the deadline ends it
	}
	for _, m := range accepted {
		if _, err := s.Email(t.Context(), message.DefaultTenant, m.Message.ID); err != nil {
			t.Errorf("accepted before: %v", err)
		}
	}
}

// TestServerWithoutRoomForItsTables: the server answers each write with an
// error and goes on when there is room.
func TestServerWithoutRoomForItsTables(t *testing.T) {
	t.Parallel()
	dir := disk(t, "96m")
	server := newServer(t, dir, folder(t, ""))
	s := onOwnClock(t, server.url())
	post(t, s, large())
	free := fill(t, dir)
	accepted := refusedForRoom(t, s)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("reading goes on: %v", err)
	}
	free()
	heals(t, s, accepted)
}

// TestServerWithoutRoomForItsLog: Postgres stops when it cannot write its log,
// and starts again when somebody has made room and starts it.
func TestServerWithoutRoomForItsLog(t *testing.T) {
	t.Parallel()
	dir := disk(t, "48m")
	server := newServer(t, "", dir)
	s := onOwnClock(t, server.url())
	post(t, s, large())
	free := fill(t, dir)
	accepted := refusedForRoom(t, s)
	free()
	server.start()
	heals(t, s, accepted)
}

// TestServerlessFileWithoutRoom is the same of the embedded database.
func TestServerlessFileWithoutRoom(t *testing.T) {
	t.Parallel()
	dir := disk(t, "16m")
	s := onOwnClock(t, "sqlite:"+filepath.Join(dir, "postrider.db"))
	post(t, s, large())
	free := fill(t, dir)
	accepted := refusedForRoom(t, s)
	free()
	heals(t, s, accepted)
}

// onOwnClock returns a migrated store on the database's own clock.
func onOwnClock(t *testing.T, url string) *store.Store {
	t.Helper()
	s := unmigrated(t, store.Config{URL: url})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
