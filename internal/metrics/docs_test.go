package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/metrics"
)

const page = "../../docs/metrics.md"

// TestEveryMetricIsDocumented holds the table of the page against what a
// program shows. With -update it writes the table.
func TestEveryMetricIsDocumented(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table: begin -->\n", "<!-- table: end -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	want := before + begin + table(t) + end + after
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not up to date: run go test ./internal/metrics -update", page)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the documentation")
	flag.Parse()
	os.Exit(m.Run())
}

// table lists the metrics of a program that has everything.
func table(t *testing.T) string {
	m := metrics.New("test", nil)
	m.WatchOutbox(&ports{backlog: func() ([]message.Backlog, error) { return []message.Backlog{{Lane: message.LaneLow}}, nil }})
	m.WatchIntake(&ports{})
	m.WatchConnection("database", func() bool { return true })
	m.DefineFault("database", "away")
	families := map[string]*family{}
	for line := range strings.Lines(scrape(t, m)) {
		note(families, strings.TrimSpace(line))
	}
	names := make([]string, 0, len(families))
	for name := range families {
		if strings.HasPrefix(name, "postrider_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("\n| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, name := range names {
		f := families[name]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, f.kind, f.labels, f.help)
	}
	return b.String() + "\n"
}

type family struct{ help, kind, labels string }

// note reads one line of the text format.
func note(families map[string]*family, line string) {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) == 4 && fields[0] == "#" {
		f := families[fields[2]]
		if f == nil {
			f = &family{}
			families[fields[2]] = f
		}
		if fields[1] == "HELP" {
			f.help = fields[3]
		} else {
			f.kind = fields[3]
		}
		return
	}
	name, labels, _ := strings.Cut(fields[0], "{")
	if f := families[name]; f != nil && f.labels == "" {
		f.labels = labelNames(labels)
	}
}

func labelNames(s string) string {
	var names []string
	for pair := range strings.SplitSeq(strings.TrimSuffix(s, "}"), `",`) {
		if name, _, ok := strings.Cut(pair, "="); ok {
			names = append(names, "`"+name+"`")
		}
	}
	return strings.Join(names, ", ")
}
