package message

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestTracesStandInEveryHeadThatMatches draws heads and filters from few words, so
// that many match, and holds the hints for stores against what decides.
func TestTracesStandInEveryHeadThatMatches(t *testing.T) {
	words := []string{"a", "K", "k", "\u212a", "\u0130", "ß", "SS", "É", "é", "<", "&", `"`, `\`, "\u2028", "\u007f", " ", "%", "_", "\n", "{", ":"}
	word := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 5).Draw(t, "words"), "")
	})
	label := rapid.SampledFrom([]string{"kind", "Kind", "a", "A_1"})
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		m := &Message{Lane: LaneNormal, Head: Head{
			To:       []Address{{Name: word.Draw(t, "name"), Email: word.Draw(t, "local") + "@example.com"}},
			Subject:  word.Draw(t, "subject"),
			Tags:     []Tag{{Name: label.Draw(t, "tag"), Value: label.Draw(t, "value")}},
			Metadata: map[string]string{label.Draw(t, "key"): word.Draw(t, "data")},
		}}
		f := Filter{
			Subject:  word.Draw(t, "part of the subject"),
			Metadata: map[string]string{},
		}
		if rapid.Bool().Draw(t, "by recipient") {
			f.Recipient = strings.ToUpper(m.Head.To[0].Email)
		}
		if rapid.Bool().Draw(t, "by tag") {
			f.Tag = Tag{Name: label.Draw(t, "tag asked for")}
		}
		if rapid.Bool().Draw(t, "by metadata") {
			f.Metadata[label.Draw(t, "key asked for")] = word.Draw(t, "data asked for")
		}
		if !f.Matches(m) {
			return
		}
		matched++
		text, err := json.Marshal(m.Head)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range f.Traces() {
			if !strings.Contains(foldAddress(string(text)), trace) {
				t.Fatalf("%+v matches %s, which lacks %q", f, text, trace)
			}
		}
	})
	if matched == 0 {
		t.Error("nothing ever matched")
	}
}

func TestSubjectsAreFoundInEitherCase(t *testing.T) {
	for _, c := range []struct {
		subject, part string
		found         bool
	}{
		{"Your ORDER 4711", "order", true},
		{"ÜBER", "über", true},
		{"über", "ÜBER", true},
		{"Straße", "STRASSE", false},
		{"ΣΊΣΥΦΟΣ", "σίσυφοσ", true},
		{"3 \u212a", "3 k", false},
		{"3 \u212a", "\u212a", true},
		{"100 %", "%", true},
		{"100", "%", false},
	} {
		m := &Message{Head: Head{Subject: c.subject}}
		if f := (&Filter{Subject: c.part}); f.Matches(m) != c.found {
			t.Errorf("%q in %q: %v", c.part, c.subject, !c.found)
		}
	}
}

func TestATimeIsAPlaceAmongIDs(t *testing.T) {
	last := uuid.MustParse("018bcfe5-67ff-7fff-bfff-ffffffffffff")
	first := uuid.MustParse("018bcfe5-6800-7000-8000-000000000000")
	at := time.UnixMilli(1_700_000_000_000)
	f := Filter{CreatedAfter: at}
	if older, newer := f.Ends(); laterID(older, last) != older || laterID(first, older) != first || newer != uuid.Max {
		t.Errorf("%v does not part %v from %v", older, last, first)
	}
	f = Filter{CreatedBefore: at}
	if older, newer := f.Ends(); laterID(newer, last) != newer || laterID(first, newer) != first || older != uuid.Nil {
		t.Errorf("%v does not part %v from %v", newer, last, first)
	}
	if id := NewID(); time.UnixMilli(time.Now().UnixMilli()).Sub(timeOf(id)).Abs() > time.Minute {
		t.Errorf("the id %v is of %v", id, timeOf(id))
	}
}

func timeOf(id uuid.UUID) time.Time {
	sec, nsec := id.Time().UnixTime()
	return time.Unix(sec, nsec)
}
