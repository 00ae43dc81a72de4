package httpapi

import (
	"errors"
	"net/url"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/postrider/postrider/internal/message"
)

// plainFilter writes a filter as a query in the plainest form there is.
func plainFilter(f message.Filter) string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("status", string(f.Status))
	set("lane", string(f.Lane))
	set("recipient", f.Recipient)
	set("subject", f.Subject)
	set("tag", f.Tag.Name)
	if f.Tag.Value != "" {
		set("tag", f.Tag.Name+":"+f.Tag.Value)
	}
	for key, value := range f.Metadata {
		v.Set("metadata."+key, value)
	}
	if !f.CreatedAfter.IsZero() {
		set("created_after", f.CreatedAfter.Format("2006-01-02T15:04:05.000Z07:00"))
	}
	if !f.CreatedBefore.IsZero() {
		set("created_before", f.CreatedBefore.Format("2006-01-02T15:04:05.000Z07:00"))
	}
	return v.Encode()
}

// FuzzFilter holds the reading of parameters to this: it refuses, naming a place,
// or it has read what can be written again, and what a store can bear.
func FuzzFilter(f *testing.F) {
	for _, raw := range []string{
		"", "status=failed&lane=low", "recipient=a%2Bb@EXAMPLE.com", "recipient=%C3%BC@b%C3%BCcher.example", "subject=%25_%5C", "tag=a:b", "tag=a",
		"metadata.order=4711&metadata.x=", "created_after=2030-01-01T00:00:00Z&created_before=2030-01-01T00:00:00.001%2B00:00",
		"limit=1", "metadata.=", "tag=a&tag=b", "a;b", "%", "subject=%ff", "metadata.a%00=1", "recipient=<a@b.c>", "created_after=0001-01-01T00:00:00Z",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := newQuery(raw, filterNames()...)
		if err != nil {
			var e *message.Error
			if !errors.As(err, &e) || e.Code != message.CodeValidation {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		filter := q.filter()
		if err := q.faults.Err(); err != nil {
			for _, place := range err.(*message.Error).Fields { //nolint:errorlint // what Faults returns is never wrapped
				if place.Pointer == "" || !utf8.ValidString(place.Pointer) {
					t.Fatalf("%q is refused at %q", raw, place.Pointer)
				}
			}
			return
		}
		if len(filter.Subject) > maxSubjectPart || len(filter.Metadata) > maxMetadata || !utf8.ValidString(filter.Subject) {
			t.Fatalf("%q was read as %+v", raw, filter)
		}
		again, err := newQuery(plainFilter(filter), filterNames()...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(filter, again.filter()); diff != "" || again.faults.Err() != nil {
			t.Fatalf("%q, and written again: %s, %v", raw, diff, again.faults.Err())
		}
		filter.Ends()
		filter.Traces()
		filter.Matches(&message.Message{})
	})
}
