package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// Tenants keeps tenants. A name that is taken is a *message.Error of
// message.CodeTenantExists; other errors wrap message.ErrUnavailable. Tenants
// lists them by number, from the one after on. Safe for concurrent use.
type Tenants interface {
	CreateTenant(ctx context.Context, name string) (message.Tenant, error)
	Tenants(ctx context.Context, after int64, limit int) ([]message.Tenant, error)
}

func (a *api) postTenant(w http.ResponseWriter, r *http.Request) error {
	body, err := a.intake.open(w, r)
	if err != nil {
		return err
	}
	defer body.close()
	name, err := wire.DecodeTenant(body)
	if err != nil {
		return body.cause(err)
	}
	tenant, err := a.Tenants.CreateTenant(r.Context(), name)
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, wire.NewTenant(tenant))
}

func (a *api) listTenants(w http.ResponseWriter, r *http.Request) error {
	q, err := newQuery(r.URL.RawQuery, "limit", "after")
	if err != nil {
		return err
	}
	limit, after := q.limit(), q.number("after")
	if err := q.faults.Err(); err != nil {
		return err
	}
	tenants, err := a.Tenants.Tenants(r.Context(), after, limit+1)
	if err != nil {
		return err
	}
	list := wire.TenantList{Object: "list", HasMore: len(tenants) > limit, Data: []wire.Tenant{}}
	for _, t := range tenants[:min(len(tenants), limit)] {
		list.Data = append(list.Data, wire.NewTenant(t))
	}
	return write(w, http.StatusOK, list)
}

// number reads the number of a tenant; absent is 0.
func (q *query) number(name string) int64 {
	s := q.values.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		q.fault(name, message.CodeInvalidField, "must be the id of a tenant from an earlier page")
	}
	return n
}
