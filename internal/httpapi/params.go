package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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

// listFilter reads the parameters of a list.
func (a *api) listFilter(r *http.Request) (message.Filter, error) {
	q, err := newQuery(r.URL.RawQuery, append([]string{"limit", "after", "before"}, filterNames()...)...)
	if err != nil {
		return message.Filter{}, err
	}
	limit, after, before := q.limit(), q.cursor("after"), q.cursor("before")
	if after != uuid.Nil && before != uuid.Nil {
		q.fault("before", message.CodeInvalidField, "give either after or before")
	}
	filter, err := a.selected(r, q)
	filter.Limit, filter.After, filter.Before = limit, after, before
	return filter, err
}

// newQuery reads a query string that may hold the known parameters. Another is an
// error: a misspelt filter would otherwise show everything.
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
	q.faults.Add(message.Pointer(strings.ToValidUTF8(name, "\uFFFD")), code, detail)
}

// onlyKnown refuses other parameters, repeated ones, and what no text of ours can
// hold. A known name that ends with a dot stands for all that begin with it.
func (q *query) onlyKnown(known ...string) {
	names := slices.Sorted(maps.Keys(q.values))
	for _, name := range names {
		switch values := q.values[name]; {
		case !isKnown(known, name):
			q.fault(name, message.CodeUnknownField, noSuchParameter(known))
		case len(values) > 1:
			q.fault(name, message.CodeInvalidField, "give this parameter once")
		case strings.IndexByte(values[0], 0) >= 0 || !utf8.ValidString(values[0]):
			q.fault(name, message.CodeInvalidField, "must be UTF-8 without NUL")
		}
	}
}

func noSuchParameter(known []string) string {
	if len(known) == 0 {
		return "there is no such parameter; this takes none"
	}
	list := strings.ReplaceAll(strings.Join(known, ", ")+",", ".,", ".KEY,")
	return "there is no such parameter, but these: " + strings.TrimSuffix(list, ",")
}

func isKnown(known []string, name string) bool {
	return slices.ContainsFunc(known, func(k string) bool {
		return name == k && !strings.HasSuffix(k, ".") || strings.HasSuffix(k, ".") && strings.HasPrefix(name, k)
	})
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
