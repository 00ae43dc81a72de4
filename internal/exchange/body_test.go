package exchange

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Text  string
	List  []string
	Pairs map[string]string
	Files []struct{ Name string }
	Next  *sample
	Bytes []byte
	At    time.Time
}

func TestABodyIsUTF8(t *testing.T) {
	const bad = "Gr\xfc\xdfe"
	for place, v := range map[string]any{
		"Text is":           sample{Text: bad},
		"List[1] is":        sample{List: []string{"a", bad}},
		`Pairs["a"] is`:     sample{Pairs: map[string]string{"a": bad}},
		`Pairs["\xff"] is`:  sample{Pairs: map[string]string{"\xff": "a"}},
		"Files[0].Name is":  &sample{Files: []struct{ Name string }{{bad}}},
		"Next.Next.Text is": sample{Next: &sample{Next: &sample{Text: bad}}},
	} {
		if body, err := Body(v); err == nil || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%s: %q, %v", place, body, err)
		}
	}
	good := sample{Text: "Grüße \uFFFD", Bytes: []byte(bad), At: time.Now(), Pairs: map[string]string{"ü": ""}, Next: &sample{}}
	want, _ := json.Marshal(good)
	if body, err := Body(good); err != nil || string(body) != string(want) {
		t.Errorf("%s, %v", body, err)
	}
	if body, err := Body(nil); err != nil || string(body) != "null" {
		t.Errorf("%s, %v", body, err)
	}
}
