package test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"
	_ "modernc.org/sqlite"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/s3test"
	"github.com/postrider/postrider/internal/smtptest"
)

// fileOf is an email with a file of random bytes.
func fileOf(t testing.TB, size int) (email, []byte) {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data) // never fails
	return mail("ann@example.com").with("attachments", []map[string]any{
		{"filename": "large.bin", "content": base64.StdEncoding.EncodeToString(data)},
	}), data
}

// arrived holds the one mail at the relay host against the file that was posted. It
// compares what both are encoded to: with the race detector, decoding 40 MB takes ten
// seconds.
func (s *stack) arrived(data []byte) {
	s.Helper()
	mails := s.relay.Mails()
	if len(mails) != 1 {
		s.Fatalf("the relay host took %d mails", len(mails))
	}
	files := filesOf(s.TB, mails[0].Data)
	if len(files) != 1 || files[0] != base64.StdEncoding.EncodeToString(data) {
		s.Errorf("%d files arrived, or other bytes than were posted", len(files))
	}
}

// filesOf is the Base64 of a mail's attachments, as one line each.
func filesOf(t testing.TB, raw []byte) []string {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if part.FileName() == "" {
			continue
		}
		text, err := io.ReadAll(part)
		if err != nil || part.Header.Get("Content-Transfer-Encoding") != "base64" {
			t.Fatalf("a file in %q: %v", part.Header.Get("Content-Transfer-Encoding"), err)
		}
		files = append(files, string(bytes.ReplaceAll(text, []byte("\r\n"), nil)))
	}
}

// peak is the most memory that a process had resident, in bytes.
func peak(t testing.TB, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

func TestAMailOf40MBArrivesEqualAndNoWorkerHoldsIt(t *testing.T) {
	aloneInBothModes(t, setting{consumers: 1}, func(s *stack) {
		const size = 40<<20 - 100
		worker := s.workers[len(s.workers)-1]
		before := peak(s.TB, worker)
		e, data := fileOf(s.TB, size)
		id := s.post(e)
		s.await(id, message.StatusSent)
		s.arrived(data)
		shown, err := s.request(http.MethodGet, "/v1/emails/"+id+"/content", "", nil)
		if err != nil || shown.status != http.StatusOK || !bytes.Equal(shown.body, s.relay.Mails()[0].Data) {
			s.Errorf("the content shown is not the mail sent: %d, %d bytes, %v", shown.status, len(shown.body), err)
		}
		grown := peak(s.TB, worker) - before
		s.Logf("the %s process grew by %d kB to %d kB", worker.name, grown>>10, (before+grown)>>10)
		// Embedded, it has taken the request in as well; the race detector keeps a shadow
		// of all memory.
		if s.mode == distributed && detectRaces == "-race=false" && grown > size/2 {
			s.Errorf("the worker grew by %d bytes for a mail of %d", grown, size)
		}
	})
}

// bucket is an S3 server with one bucket. Hold, when set, is closed to let the answers to
// PUT go that came after; each is told of on stored.
type bucket struct {
	*s3test.Server
	at     *httptest.Server
	stored chan struct{}

	mu   sync.Mutex
	hold chan struct{}
}

func newBucket(t testing.TB) *bucket {
	t.Helper()
	b := &bucket{Server: s3test.Open(t), stored: make(chan struct{}, 100)}
	b.at = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		b.ServeHTTP(answer, r)
		if r.Method == http.MethodPut {
			b.stored <- struct{}{}
			b.wait(r)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(b.at.Close)
	return b
}

func (b *bucket) wait(r *http.Request) {
	b.mu.Lock()
	hold := b.hold
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
}

// keepWaiting holds back the answers to every PUT until it is called again with nil.
func (b *bucket) keepWaiting(hold chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = hold
}

func (b *bucket) env() map[string]string {
	return map[string]string{
		"POSTRIDER_BLOB_URL":        "s3://" + b.Bucket + "/" + b.Prefix + "?tls=none&endpoint=" + strings.TrimPrefix(b.at.URL, "http://"),
		"POSTRIDER_BLOB_ACCESS_KEY": b.AccessKey, "POSTRIDER_BLOB_SECRET_KEY": b.SecretKey,
	}
}

// sql changes the story's database while no process of it runs that would mind.
func (s *stack) sql(statement string) {
	s.Helper()
	driver, dsn := "pgx", s.database
	if s.mode == embedded {
		driver, dsn = "sqlite", strings.TrimPrefix(s.database, "sqlite:")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(s.Context(), statement); err != nil {
		s.Fatalf("%s: %v", statement, err)
	}
}

// The file is in the bucket and the message is not in the database when the producer
// dies: the caller has no answer and repeats, and what nobody refers to goes.
func TestAProducerKilledBetweenAttachmentAndCommitLosesNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			b := newBucket(t)
			s := newStack(t, m, setting{consumers: 1, env: b.env()})
			e, data := fileOf(t, 1<<20)
			b.keepWaiting(make(chan struct{}))
			unanswered := make(chan int, 1)
			go func() {
				status, _, _ := s.tryPost(e, "order-1")
				unanswered <- status
			}()
			<-b.stored
			s.producer.kill()
			if status := <-unanswered; status != 0 {
				t.Fatalf("the caller heard %d", status)
			}
			b.keepWaiting(nil)
			s.sql(`UPDATE loose_blobs SET since=since-7200000`) // two hours ago
			s.startProducer()
			status, id, body := s.tryPost(e, "order-1")
			if status != http.StatusAccepted {
				t.Fatalf("%d %s", status, body)
			}
			s.await(id, message.StatusSent)
			s.arrived(data)
			s.eventually("only what a message refers to is in the bucket", func() bool { return b.Objects(t) == 1 })
			if _, again, _ := s.tryPost(e, "order-1"); again != id || b.Objects(t) != 1 {
				t.Errorf("the repetition is %s, %d objects", again, b.Objects(t))
			}
		})
	}
}

// The file is not where it was put when its mail is due, and comes back: no try reaches
// the relay host meanwhile, /readyz says so, and the mail is sent.
func TestAnAttachmentThatIsAwayDelaysItsMailAlone(t *testing.T) {
	t.Parallel()
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := newStack(t, m, setting{consumers: 1, env: map[string]string{"POSTRIDER_BLOB_URL": "dir:" + dir}})
			e, data := fileOf(t, 1<<20)
			id := s.post(e.with("scheduled_at", time.Now().Add(time.Hour).Format(time.RFC3339)))
			there := theFile(t, dir)
			away := filepath.Join(t.TempDir(), "away")
			if err := os.Rename(there, away); err != nil {
				t.Fatal(err)
			}
			if n, err := s.client().Reschedule(t.Context(), id, time.Now()); n != 1 || err != nil {
				t.Fatalf("rescheduled %d: %v", n, err)
			}
			got := s.await(id, message.StatusDelayed)
			if len(got.Attempts) != 1 || !strings.Contains(got.Attempts[0].Detail, "large.bin") {
				t.Errorf("attempts %+v", got.Attempts)
			}
			s.eventually("the worker says what is away", func() bool {
				res, err := http.Get(s.metrics[len(s.metrics)-1] + "/readyz")
				if err != nil {
					return false
				}
				defer func() { _ = res.Body.Close() }()
				var page bytes.Buffer
				_, err = page.ReadFrom(res.Body)
				return err == nil && res.StatusCode == http.StatusOK && strings.Contains(page.String(), `"name":"attachments","status":"degraded"`)
			})
			s.await(s.post(mail("bob@example.com")), message.StatusSent) // another is not delayed
			if n := len(s.relay.Mails()); n != 1 {
				t.Errorf("the relay host took %d mails", n)
			}
			if err := os.Rename(away, there); err != nil {
				t.Fatal(err)
			}
			s.await(id, message.StatusSent)
			checkFile(t, s.relay.Mails()[1], data)
		})
	}
}

// theFile is the one blob in the folder.
func theFile(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files, %v", len(found), err)
	}
	return found[0]
}

func checkFile(t testing.TB, mail smtptest.Transaction, data []byte) {
	t.Helper()
	got, err := enmime.ReadEnvelope(bytes.NewReader(mail.Data))
	if err != nil || len(got.Attachments) != 1 || !bytes.Equal(got.Attachments[0].Content, data) {
		t.Errorf("other bytes arrived than were posted: %v", err)
	}
}

func TestAFileIsFetchedByItsPathAndNothingOfThisNetwork(t *testing.T) {
	data := bytes.Repeat([]byte{0, 1, 255}, 1<<20)
	var asked sync.Map
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, true)
		_, _ = w.Write(data)
	}))
	t.Cleanup(files.Close)
	secret := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store("secret"+r.URL.Path, true) }))
	t.Cleanup(secret.Close)
	allow := map[string]string{"POSTRIDER_ATTACHMENT_FETCH_ALLOW": strings.TrimPrefix(files.URL, "http://")}
	with := func(path string) email {
		return mail("ann@example.com").with("attachments", []map[string]any{{"path": path}})
	}
	for _, m := range []mode{embedded, distributed} {
		t.Run(string(m), func(t *testing.T) {
			s := newStack(t, m, setting{consumers: 1, env: allow})
			for _, path := range []string{secret.URL + "/x", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://10.0.0.1/"} {
				status, _, body := s.tryPost(with(path), "")
				if status != http.StatusUnprocessableEntity || !strings.Contains(body, `"pointer":"/attachments/0/path","code":"invalid_attachment"`) {
					t.Errorf("%s: %d %s", path, status, body)
				}
			}
			s.await(s.post(with(files.URL+"/a%20file.bin")), message.StatusSent)
			s.arrived(data)
		})
	}
	asked.Range(func(path, _ any) bool {
		if strings.HasPrefix(path.(string), "secret") {
			t.Errorf("the inner host was asked for %s", path)
		}
		return true
	})
}
