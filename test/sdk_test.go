package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Applications that send with Resend today change one line, the base URL. These
// stories let Resend's own SDKs, as they are published, make every call of theirs
// that Postrider offers, and run into every error.

// nodeSDK installs the SDK for Node, once for all stories.
var nodeSDK = sync.OnceValue(func() error {
	out, err := exec.Command("../scripts/sdk.sh").CombinedOutput()
	if err != nil {
		return errors.New(string(bytes.TrimSpace(out)))
	}
	return nil
})

func TestResendsSDKForNodeWorksUnchanged(t *testing.T) {
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	files := filesToFetch(t)
	inBothModes(t, setting{env: files.allowed()}, func(s *stack) {
		s.nodeTells(files, "calls.mjs")
	})
}

// nodeTells runs a script of test/sdk and makes a test of each of its checks.
func (s *stack) nodeTells(files fileHost, script ...string) {
	s.Helper()
	node := exec.CommandContext(s.Context(), "node", script...)
	node.Dir = "sdk"
	node.Env = []string{
		"PATH=" + os.Getenv("PATH"), "POSTRIDER_STORY_URL=" + s.api + "/v1", "POSTRIDER_STORY_KEY=" + apiKey,
		"POSTRIDER_STORY_FILES=" + files.URL,
	}
	node.WaitDelay = 5 * time.Second
	var faults bytes.Buffer
	node.Stderr = &faults
	out, err := node.Output()
	if err != nil {
		s.Errorf("node: %v\n%s", err, faults.Bytes())
	}
	s.tell(out)
}

// fileHost is what attachments are fetched from by their path.
type fileHost struct{ URL string }

func filesToFetch(t testing.TB) fileHost {
	files := http.NewServeMux()
	files.Handle("/", invoice{})
	files.Handle("/both/", &meeting{waiting: map[string]chan struct{}{}})
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	return fileHost{server.URL}
}

type invoice struct{}

// ServeHTTP implements http.Handler.
func (invoice) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("42 EUR")) }

// meeting hands out the file of a path when two have asked for it.
type meeting struct {
	mu      sync.Mutex
	waiting map[string]chan struct{} // by path; closed when the second asks
}

// ServeHTTP implements http.Handler.
func (m *meeting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-m.join(r.URL.Path):
	case <-r.Context().Done():
	}
	invoice{}.ServeHTTP(w, r)
}

func (m *meeting) join(path string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.waiting[path]; other != nil {
		close(other)
		delete(m.waiting, path)
		return other
	}
	m.waiting[path] = make(chan struct{})
	return m.waiting[path]
}

// allowed is the setting that lets the server fetch from it, though it is on this machine.
func (f fileHost) allowed() map[string]string {
	return map[string]string{"POSTRIDER_ATTACHMENT_FETCH_ALLOW": strings.TrimPrefix(f.URL, "http://")}
}

// tell makes a test of each line that the script wrote.
func (s *stack) tell(out []byte) {
	s.Helper()
	done, checks := false, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var line struct {
			Name, Error string
			Done        bool
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			s.Fatalf("%v: %s", err, lines.Bytes())
		}
		if done = line.Done; done {
			break
		}
		checks++
		s.TB.(*testing.T).Run(line.Name, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	if !done || checks == 0 {
		s.Errorf("the script ended early, after %d checks", checks)
	}
}
