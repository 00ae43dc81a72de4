package handlebars_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/postrider/postrider/internal/handlebars"
)

// TestTheTableOfThePageIsRight renders every row of the language's reference.
func TestTheTableOfThePageIsRight(t *testing.T) {
	page, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| ([^|`]+) \\| `(.*)` \\| `(.*)` \\| `(.*)` \\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 15 {
		t.Fatalf("only %d rows were found", len(rows))
	}
	for _, row := range rows {
		for _, body := range []handlebars.Part{{HTML: row[2]}, {Text: row[2]}} {
			out, err := render(t, handlebars.Source{Body: body}, row[3])
			if err != nil || out.HTML+out.Text != row[4] {
				t.Errorf("%s: %q became %q %v, want %q", row[1], row[2], out.HTML+out.Text, err, row[4])
			}
		}
	}
}
