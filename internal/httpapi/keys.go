package httpapi

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/keys"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// What a route needs its key to allow: the first thing that it says.
const (
	toSend       = message.RightSend
	toRead       = message.RightRead
	toSeeContent = message.RightContent
	toChange     = message.RightChange
	toAdminister = message.RightAdminister
	toOperate    = message.RightOperate
)

// Keys lets a request in that needs the right and shows the key. The error is a
// *message.Error, or wraps message.ErrUnavailable; the entry's window is there
// for a request that was refused for its rate, too. Safe for concurrent use.
type Keys interface {
	Enter(ctx context.Context, token string, need message.Right) (keys.Entry, error)
}

// KeyManager makes, lists and revokes keys of the grant's tenant, or of the one
// that an operator names. Create returns the key itself, which is not known
// later. Errors are a *message.Error, or wrap message.ErrNotFound or
// message.ErrUnavailable. Safe for concurrent use.
type KeyManager interface {
	Create(ctx context.Context, by *message.Grant, d *message.KeyDraft) (k message.APIKey, token string, err error)
	List(ctx context.Context, by *message.Grant, tenant string, f message.KeyFilter) (message.KeyPage, error)
	Revoke(ctx context.Context, by *message.Grant, tenant string, id uuid.UUID) error
}

// signed lets only requests through whose key allows what the route needs, and
// notes whose it is.
func (a *api) signed(need message.Right, h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := bearer(r)
		if err != nil {
			return err
		}
		entry, err := a.Keys.Enter(r.Context(), token, need)
		showWindow(w.Header(), entry.Window)
		trailOf(r.Context()).grant = entry.Grant
		if err != nil {
			return err
		}
		return h(w, r)
	}
}

// grantOf is what a signed request may do.
func grantOf(r *http.Request) *message.Grant { return trailOf(r.Context()).grant }

func tenantOf(r *http.Request) int64 { return grantOf(r).TenantID }

// bearer is the key of a request (RFC 6750, 2.1). A key in the URL is not looked
// at: URLs end up in logs.
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", fault(codeMissingAPIKey, "send your API key in the header Authorization: Bearer <key>")
	}
	scheme, key, _ := strings.Cut(values[0], " ")
	key = strings.Trim(key, " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return "", fault(codeMissingAPIKey, "the header Authorization must have the form Bearer <key>")
	}
	if len(values) > 1 {
		return "", fault(message.CodeInvalidAPIKey, "send one API key")
	}
	return key, nil
}

// showWindow tells what is left of a key's rate, in the headers that Resend
// sends (draft-ietf-httpapi-ratelimit-headers, before 07).
func showWindow(h http.Header, w keys.Window) {
	if w.Limit == 0 {
		return
	}
	h.Set("RateLimit-Limit", strconv.Itoa(w.Limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(w.Remaining))
	h.Set("RateLimit-Reset", seconds(w.Reset))
}

// seconds rounds up: to come too early is to be refused again.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

func (a *api) postKey(w http.ResponseWriter, r *http.Request) error {
	body, err := a.intake.open(w, r)
	if err != nil {
		return err
	}
	defer body.close()
	draft, err := wire.DecodeKey(body)
	if err != nil {
		return body.cause(err)
	}
	key, token, err := a.Manager.Create(r.Context(), grantOf(r), draft)
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, wire.NewCreatedKey(&key, token))
}

func (a *api) listKeys(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r.URL.RawQuery, "limit", "after", "before", "tenant")
	if err != nil {
		return err
	}
	filter, tenant := message.KeyFilter{Limit: q.limit(), After: q.cursor("after"), Before: q.cursor("before")}, q.given("tenant")
	if filter.After != uuid.Nil && filter.Before != uuid.Nil {
		q.fault("before", message.CodeInvalidField, "give either after or before")
	}
	if err := q.faults.Err(); err != nil {
		return err
	}
	page, err := a.Manager.List(r.Context(), grantOf(r), tenant, filter)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire.NewKeyList(&page))
}

func (a *api) deleteKey(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r.URL.RawQuery, "tenant")
	if err != nil {
		return err
	}
	tenant := q.given("tenant")
	if err := q.faults.Err(); err != nil {
		return err
	}
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return noKey(message.ErrNotFound)
	}
	if err := a.Manager.Revoke(r.Context(), grantOf(r), tenant, id); err != nil {
		return noKey(err)
	}
	return write(w, http.StatusOK, wire.Deleted{Object: "api_key", ID: id.String(), Deleted: true})
}

// noKey says of what there is none.
func noKey(err error) error {
	if errors.Is(err, message.ErrNotFound) {
		return fault(codeNotFound, "there is no such API key")
	}
	return err
}
