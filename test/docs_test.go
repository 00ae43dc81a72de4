package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
)

// block is a fenced example of a page.
type block struct{ language, text string }

func blocksOf(t testing.TB, page string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		list = append(list, block{m[1], m[2]})
	}
	return list
}

// interpreters run a file of their language.
func interpreters() map[string][]string {
	return map[string][]string{"sh": {"bash", "-eu"}, "js": {"node"}, "go": {"go", "run"}, "python": {"python3"}}
}

// run runs the block as a reader would who has this server instead of the one
// the page speaks of.
func (b block) run(s *stack, dir string) {
	s.Helper()
	command := interpreters()[b.language]
	if command == nil {
		s.Fatalf("no test knows how to run %q", b.language)
	}
	file := filepath.Join(dir, "example."+map[string]string{"js": "mjs", "go": "go", "python": "py"}[b.language])
	text := strings.NewReplacer("http://127.0.0.1:8080", s.api, "pr_dev_key_not_a_secret", apiKey).Replace(b.text)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	example := exec.Command(command[0], append(command[1:], file)...)
	example.Env = append(os.Environ(), "DATABASE_URL="+s.database)
	if b.language != "go" { // which looks here for the module of its imports
		example.Dir = dir // where it leaves its files
	}
	if out, err := example.CombinedOutput(); err != nil {
		s.Errorf("%s: %v\n%s\n%s", b.language, err, text, out)
	}
}

// TestTheQuickStartWorksAsItStands runs every example of the page; the mail of
// each arrives, under the name of its language.
func TestTheQuickStartWorksAsItStands(t *testing.T) {
	var examples []block
	for _, b := range blocksOf(t, "../docs/quick-start.md") {
		if b.language != "text" && b.language != "sql" { // SQL: see the page on enqueueing
			examples = append(examples, b)
		}
	}
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	inBothModes(t, setting{}, func(s *stack) {
		for _, b := range examples {
			b.run(s, withSDK(s.TB))
		}
		if s.Failed() {
			return
		}
		if err := s.relay.AwaitMails(s.Context(), len(examples)); err != nil {
			s.Fatal(err)
		}
		for _, from := range []string{"curl", "Node", "Resend's SDK", "Go", "Python"} {
			if !slices.ContainsFunc(s.relay.Mails(), func(m smtptest.Transaction) bool {
				return strings.Contains(string(m.Data), "Subject: Hello from "+from+"\r\n")
			}) {
				s.Errorf("no mail came from %s", from)
			}
		}
	})
}

// withSDK is a folder where npm seems to have installed Resend's SDK.
func withSDK(t testing.TB) string {
	t.Helper()
	installed, err := filepath.Abs("sdk/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(installed, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asOneScript joins the shell examples of a page that speak to a server, in
// their order, for this one. A call that is refused ends it.
func asOneScript(s *stack, page, id string) block {
	script := "curl() { command curl --fail-with-body -sS \"$@\" && echo; }\n" +
		"bin/postrider() { POSTRIDER_URL=" + s.api + " POSTRIDER_API_KEY=" + apiKey + " " + binary("postrider") + " \"$@\"; }\n"
	for _, b := range blocksOf(s.TB, page) {
		if b.language == "sh" && regexp.MustCompile(`(?m)^(curl|bin/postrider|[A-Z]+=)`).MatchString(b.text) {
			script += regexp.MustCompile(`(?m)^ID=\S+`).ReplaceAllString(b.text, "ID="+id)
		}
	}
	return block{"sh", script}
}

// TestTheExamplesOfThePagesWork runs what README and the pages of the API and of
// keys say to a shell: from an email that waits for its time, through its cancellation, to
// its end.
func TestTheExamplesOfThePagesWork(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		for _, page := range []string{"../README.md", "../docs/http-api.md", "../docs/templates.md"} {
			later := s.post(mail("later@example.com").with("scheduled_at", time.Now().Add(time.Hour).Format(time.RFC3339)))
			script := asOneScript(s, page, later)
			if n := strings.Count(script.text, "curl "); n < 2 {
				s.Errorf("%s: only %d calls were found", page, n)
			}
			script.run(s, s.TempDir())
		}
		asOneScript(s, "../docs/keys.md", s.makeKey(map[string]any{"name": "old"}).ID).run(s, s.TempDir())
	})
}
