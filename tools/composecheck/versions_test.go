package composecheck

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every version that something of this repository starts is one that the page of
// versions speaks of.
func TestVersionsAreDocumented(t *testing.T) {
	versions := documentedVersions(t)
	image := regexp.MustCompile(`\b(postgres|rabbitmq):(\d{1,2})\b`)
	files := []string{"docker-compose.yml", "scripts/postgres18.sh", "scripts/services/postgres.sh", "scripts/services/rabbitmq.sh"}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		found := image.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s names no image", file)
		}
		for _, m := range found {
			if !strings.Contains(versions[m[1]], " "+m[2]+" ") {
				t.Errorf("%s starts %s, and docs/versions.md says of %s only:%s", file, m[0], m[1], versions[m[1]])
			}
		}
	}
}

// documentedVersions is the second column of the page's tables by the first, which
// is empty where it is the same as above.
func documentedVersions(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "versions.md"))
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	what := ""
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		if name := strings.ToLower(strings.TrimSpace(cells[1])); name != "" {
			what = name
		}
		versions[what] += " " + cells[2] + " "
	}
	return versions
}
