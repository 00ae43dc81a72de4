package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

const (
	maxSubjectPart = 256 // bytes
	maxMetadata    = 5   // keys in one search
	maxMetadataLen = 8 << 10
)

// filterNames are the parameters that select emails, in lists and exports alike.
// metadata. is followed by a key, which has no dots.
func filterNames() []string {
	return []string{
		"status", "lane", "recipient", "subject", "tag", "metadata.", "template", "created_after", "created_before",
	}
}

// filter reads what selects emails. A parameter that is there and empty is a
// fault: most likely a variable of the caller's was, and all would be shown.
func (q *query) filter() message.Filter {
	f := message.Filter{
		Status: q.status(), Lane: q.lane(), Recipient: q.recipient(), Subject: q.subject(), Tag: q.tag(), Metadata: q.metadata(),
		CreatedAfter: q.moment("created_after"), CreatedBefore: q.moment("created_before"),
	}
	if !f.CreatedAfter.IsZero() && !f.CreatedBefore.IsZero() && !f.CreatedAfter.Before(f.CreatedBefore) {
		q.fault("created_before", message.CodeInvalidField, "must be later than created_after")
	}
	return f
}

// selected is the filter of a request. A template is found by its alias; an id is
// taken as it is, since mail outlives the template that it was made from.
func (a *api) selected(r *http.Request, q *query) (message.Filter, error) {
	f := q.filter()
	f.TenantID = tenantOf(r)
	name := q.given("template")
	id, ok := parseID(name)
	if f.Template = id; ok || name == "" || q.faults.Err() != nil {
		return f, q.faults.Err()
	}
	t, err := a.Templates.Template(r.Context(), f.TenantID, name)
	if errors.Is(err, message.ErrNotFound) {
		q.fault("template", message.CodeTemplateNotFound, "there is no such template")
		err = q.faults.Err()
	}
	f.Template = t.ID
	return f, err
}

// given returns a parameter that must not be empty; "" where it is not there, or
// already found to be wrong.
func (q *query) given(name string) string {
	values, ok := q.values[name]
	if !ok || q.faults.At(message.Pointer(name)) {
		return ""
	}
	if values[0] == "" {
		q.fault(name, message.CodeInvalidField, "must not be empty; leave the parameter out instead")
	}
	return values[0]
}

func (q *query) lane() message.Lane {
	lane := message.Lane(q.given("lane"))
	if lane != "" && !lane.Valid() {
		q.fault("lane", message.CodeInvalidField, "must be critical, high, normal or low")
	}
	return lane
}

func (q *query) recipient() string {
	s := q.given("recipient")
	if s == "" {
		return ""
	}
	if strings.ContainsAny(s, "<> ") {
		q.fault("recipient", message.CodeInvalidAddress, "must be an address alone, without a name"+plusLost(s))
		return ""
	}
	address, err := message.ParseAddress(s)
	if err != nil {
		q.fault("recipient", message.CodeInvalidAddress, err.Error())
	}
	return address.Email
}

func (q *query) subject() string {
	s := q.given("subject")
	if len(s) > maxSubjectPart {
		q.fault("subject", message.CodeTooLarge, fmt.Sprintf("must be at most %d bytes", maxSubjectPart))
	}
	return s
}

func (q *query) tag() message.Tag {
	s := q.given("tag")
	if s == "" {
		return message.Tag{}
	}
	name, value, paired := strings.Cut(s, ":")
	if !message.IsLabel(name) || paired && !message.IsLabel(value) {
		q.fault("tag", message.CodeInvalidField, "must be the name of a tag, or name:value")
	}
	return message.Tag{Name: name, Value: value}
}

func (q *query) metadata() map[string]string {
	data := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		key, ok := strings.CutPrefix(name, "metadata.")
		switch {
		case !ok || len(q.values[name]) > 1:
		case !message.IsLabel(key):
			q.fault(name, message.CodeInvalidField, "must be metadata. and a key of letters, digits, underscores or dashes")
		case q.faults.At(message.Pointer(name)):
		case len(q.values.Get(name)) > maxMetadataLen:
			q.fault(name, message.CodeTooLarge, fmt.Sprintf("must be at most %d bytes", maxMetadataLen))
		default:
			data[key] = q.values.Get(name)
		}
	}
	if len(data) > maxMetadata {
		q.fault("metadata", message.CodeTooLarge, fmt.Sprintf("must ask for at most %d keys", maxMetadata))
	}
	return data
}

// plusLost is a hint for values with a blank, which may have been a +. It would mislead
// where nothing is lost, and callers of programs that encode for them.
func plusLost(s string) string {
	if !strings.Contains(s, " ") {
		return ""
	}
	return "; write + as %2B"
}

// moment reads a time. A + that stands in a query as it is means a blank.
func (q *query) moment(name string) time.Time {
	s := q.given(name)
	if s == "" {
		return time.Time{}
	}
	t, ok := message.ParseTime(s)
	if !ok || t.Year() < 1970 {
		q.fault(name, message.CodeInvalidField, "must be an RFC 3339 time with a zone, such as 2030-01-31T09:30:00Z"+plusLost(s))
		return time.Time{}
	}
	return t
}

// shownStatuses are the states by which lists can be asked for.
func shownStatuses() []message.Status {
	return []message.Status{
		message.StatusQueued, message.StatusScheduled, message.StatusDelayed, message.StatusSending, message.StatusSent,
		message.StatusFailed, message.StatusUnknown, message.StatusCanceled, message.StatusSuppressed,
	}
}

func (q *query) status() message.Status {
	status := message.Status(q.given("status"))
	shown := shownStatuses()
	if status != "" && !slices.Contains(shown, status) {
		var names []string
		for _, s := range shown {
			names = append(names, string(s))
		}
		q.fault("status", message.CodeInvalidField, "must be one of "+strings.Join(names, ", "))
	}
	return status
}
