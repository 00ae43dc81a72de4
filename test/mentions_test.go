package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// textOf is a page as it stands.
func textOf(t testing.TB, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheTargetsThatThePagesNameAreThere looks at what would be run by the examples of
// make, and by what the text of all pages says of it: to run them is for the tests that
// do the same without it.
func TestTheTargetsThatThePagesNameAreThere(t *testing.T) {
	named := map[string]bool{}
	for _, b := range examplesOf(t, targets) {
		for line := range strings.Lines(b.text) {
			named[strings.TrimPrefix(strings.TrimSpace(line), "make ")] = true
		}
	}
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("`[^`\n]*\\bmake ([a-z][a-z0-9-]*)[^`\n]*`").FindAllStringSubmatch(textOf(t, page), -1) {
			named[m[1]] = true
		}
	}
	for target := range named {
		if out, err := exec.Command("make", "-C", "..", "-n", target).CombinedOutput(); err != nil {
			t.Errorf("make %s: %v\n%s", target, err, out)
		}
	}
}

// TestTheCommandsThatThePagesNameAreThere asks for the help of each command of postrider
// that the text of a page names, which must know the flags beside it.
func TestTheCommandsThatThePagesNameAreThere(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile("`(?:bin/)?postrider ([a-z][^`\n]*)`").FindAllStringSubmatch(textOf(t, page), -1) {
			found++
			words := strings.Fields(m[1])
			end := slices.IndexFunc(words, func(w string) bool { return !regexp.MustCompile(`^[a-z]+$`).MatchString(w) })
			if end < 0 {
				end = len(words)
			}
			help, err := exec.Command(binary("postrider"), append(words[:end:end], "--help")...).CombinedOutput()
			if err != nil {
				t.Errorf("%s: %s: %v\n%s", page, m[0], err, help)
			}
			for _, flag := range words[end:] {
				if strings.HasPrefix(flag, "--") && !strings.Contains(string(help), flag) {
					t.Errorf("%s: %s: the help has no %s:\n%s", page, m[0], flag, help)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d commands were found", found)
	}
}

// TestTheLinksOfThePagesLeadSomewhere follows those to files of the repository, and to
// headings of pages.
func TestTheLinksOfThePagesLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s#]*)(#[^)\s]*)?\)`).FindAllStringSubmatch(textOf(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if m[2] != "" && !slices.Contains(headings(t, target), m[2]) {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
	}
}

// headings are those of a page as links name them.
func headings(t *testing.T, page string) (list []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(textOf(t, page), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return list
}
