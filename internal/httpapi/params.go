package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// idLength is that of the only form of a UUID that is taken; uuid.Parse knows
// three more, and one message would have four names.
const idLength = 36

func pathID(r *http.Request) (uuid.UUID, error) {
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return id, fault(codeNotFound, "there is no such email")
	}
	return id, nil
}

func parseID(s string) (uuid.UUID, bool) {
	if len(s) != idLength {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}

// maxKey is the length of the longest idempotency key.
const maxKey = 256

// idempotencyKey returns "" when the header is absent.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, notPrintable) {
		return "", fault(message.CodeInvalidIdempotency,
			fmt.Sprintf("give one Idempotency-Key of 1 to %d printable ASCII characters", maxKey))
	}
	return key, nil
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

const (
	defaultPage = 20
	maxPage     = 100
)

// query reads a query string and collects what is wrong with it.
type query struct {
	values url.Values
	faults message.Faults
}

// listFilter reads the parameters of a list. An unknown one is an error: a
// misspelt filter would otherwise show everything.
func listFilter(raw string) (message.Filter, error) {
	q, err := newQuery(raw, "limit", "after", "before", "status")
	if err != nil {
		return message.Filter{}, err
	}
	filter := message.Filter{Limit: q.limit(), After: q.cursor("after"), Before: q.cursor("before"), Status: q.status()}
	if filter.After != uuid.Nil && filter.Before != uuid.Nil {
		q.fault("before", message.CodeInvalidField, "give either after or before")
	}
	return filter, q.faults.Err()
}

// newQuery reads a query string that may hold the known parameters.
func newQuery(raw string, known ...string) (*query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fault(message.CodeValidation, "the query string cannot be read")
	}
	q := &query{values: values}
	q.onlyKnown(known...)
	return q, nil
}

func (q *query) fault(name string, code message.Code, detail string) {
	q.faults.Add(message.Pointer(name), code, detail)
}

func (q *query) onlyKnown(known ...string) {
	var unknown []string
	for name, values := range q.values {
		switch {
		case !slices.Contains(known, name):
			unknown = append(unknown, name)
		case len(values) > 1:
			q.fault(name, message.CodeInvalidField, "give this parameter once")
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		q.fault(name, message.CodeUnknownField, "there is no such parameter; there are "+strings.Join(known, ", "))
	}
}

func (q *query) limit() int {
	s := q.values.Get("limit")
	if s == "" {
		return defaultPage
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxPage {
		q.fault("limit", message.CodeInvalidField, fmt.Sprintf("must be a number from 1 to %d", maxPage))
	}
	return n
}

func (q *query) cursor(name string) uuid.UUID {
	s := q.values.Get(name)
	if s == "" {
		return uuid.Nil
	}
	id, ok := parseID(s)
	if !ok || id.Version() != 7 {
		q.fault(name, message.CodeInvalidField, "must be an id from an earlier page")
	}
	return id
}

func (q *query) status() message.Status {
	status := message.Status(q.values.Get("status"))
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

func shownStatuses() []message.Status {
	return []message.Status{
		message.StatusQueued, message.StatusScheduled, message.StatusDelayed, message.StatusSending, message.StatusSent,
		message.StatusFailed, message.StatusUnknown, message.StatusCanceled, message.StatusSuppressed,
	}
}
