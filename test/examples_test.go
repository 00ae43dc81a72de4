package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tests that run examples of the pages, as the table of ways names them.
const (
	asScript   = "TestTheExamplesOfThePagesWork"
	quickStart = "TestTheQuickStartWorksAsItStands"
	enqueueing = "TestThePageOnEnqueueingWorksAsItStands"
	fromResend = "TestTheChangeOfAnApplicationThatComesFromResendWorks"
	settings   = "TestTheSettingsOfThePagesAreTaken"
	servers    = "TestTheServersOfThePagesWouldStart"
	targets    = "TestTheTargetsThatThePagesNameAreThere"
)

// way says which test runs the examples of a page that are in a language and say
// something; or why none does.
type way struct{ page, language, says, test, unrun string }

// ways has the first of those that fit an example decide.
func ways() []way {
	return []way{
		{"README.md", "sh", "docker compose up", "", "needs Docker, which test machines have not; `make compose-check` holds the file against the image and the settings"},
		{"README.md", "sh", "make ", targets, ""},
		{"README.md", "sh", "postrider serve", servers, ""},
		{"README.md", "sh", "", asScript, ""},
		{"docs/attachments.md", "yaml", "", settings, ""},
		{"docs/coming-from-resend.md", "js", "", fromResend, ""},
		{"docs/coming-from-resend.md", "go", "", fromResend, ""},
		{"docs/http-api.md", "sh", "", asScript, ""},
		{"docs/keys.md", "sh", "", asScript, ""},
		{"docs/operating.md", "sh", "", asScript, ""},
		{"docs/quick-start.md", "sh", "make ", targets, ""},
		{"docs/quick-start.md", "sql", "", enqueueing, ""},
		{"docs/quick-start.md", "sh", "", quickStart, ""},
		{"docs/quick-start.md", "js", "", quickStart, ""},
		{"docs/quick-start.md", "go", "", quickStart, ""},
		{"docs/quick-start.md", "python", "", quickStart, ""},
		{"docs/templates.md", "sh", "", asScript, ""},
		{"docs/transactional-enqueue.md", "sql", "", enqueueing, ""},
		{"docs/transactional-enqueue.md", "go", "", enqueueing, ""},
		{"docs/transactional-enqueue.md", "js", "", enqueueing, ""},
	}
}

func (w way) fits(b block) bool {
	return w.page == b.page && w.language == b.language && strings.Contains(b.text, w.says)
}

// wayOf is -1 where there is none.
func wayOf(b block) int {
	return slices.IndexFunc(ways(), func(w way) bool { return w.fits(b) })
}

// pages are those that readers of Postrider have.
func pages(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("../docs/*.md")
	if err != nil || len(list) < 10 {
		t.Fatalf("%d pages, %v", len(list), err)
	}
	for i, path := range list {
		list[i] = strings.TrimPrefix(path, "../")
	}
	return append(list, "README.md")
}

// block is a fenced example of a page.
type block struct{ page, language, text string }

// blocksOf splits a page by its fences. One that does not end is an error.
func blocksOf(t testing.TB, page string) (list []block) {
	t.Helper()
	var open *block
	for line := range strings.Lines(textOf(t, page)) {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{page: page, language: language}
		case fence:
			list, open = append(list, *open), nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		t.Fatalf("%s: a fence is not closed:\n%s", page, open.text)
	}
	return list
}

// examplesOf are the blocks that a test runs.
func examplesOf(t testing.TB, test string) (list []block) {
	t.Helper()
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			if i := wayOf(b); i >= 0 && ways()[i].test == test {
				list = append(list, b)
			}
		}
	}
	if len(list) == 0 {
		t.Fatalf("no page has an example that %s runs", test)
	}
	return list
}

// TestEveryExampleIsRun goes through every fenced block of README and docs. What is an
// answer or a drawing is not run; all else is, by the test that the table names.
func TestEveryExampleIsRun(t *testing.T) {
	used := make([]bool, len(ways()))
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			if i := wayOf(b); i >= 0 {
				used[i] = true
			} else {
				b.isOutput(t)
			}
			if b.language == "sh" {
				b.parses(t)
			}
		}
	}
	for i, w := range ways() {
		if !used[i] {
			t.Errorf("no example fits %+v any more: take it out of the table", w)
		}
		if w.unrun == "" {
			isTest(t, w.test)
		}
	}
}

// isOutput reports a block that somebody might run and no test does.
func (b block) isOutput(t *testing.T) {
	t.Helper()
	switch b.language {
	case "text", "mermaid":
	case "json":
		if !json.Valid([]byte(b.text)) {
			t.Errorf("%s: this is not JSON:\n%s", b.page, b.text)
		}
	case "":
		t.Errorf("%s: this has no language; give it ```text if it is an answer or a drawing, else its own:\n%s", b.page, b.text)
	default:
		t.Errorf("%s: no test runs this; let one do it and name it in ways() of examples_test.go, or mark it as ```text if nobody would run it:\n```%s\n%s", b.page, b.language, b.text)
	}
}

func (b block) parses(t *testing.T) {
	t.Helper()
	shell := exec.Command("bash", "-n")
	shell.Stdin = strings.NewReader(b.text)
	if out, err := shell.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", b.page, err, b.text, out)
	}
}

// isTest looks for a test of this package by its name.
func isTest(t *testing.T, name string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "func "+name+"(t *testing.T)") {
			return
		}
	}
	t.Errorf("there is no test %s", name)
}
