package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postrider/postrider/internal/exchange"
	"github.com/postrider/postrider/internal/wire"
)

// KeyDraft is the JSON that CreateKey posts. Nothing of it is checked here.
type KeyDraft struct {
	Name       string   `json:"name"`
	Scope      string   `json:"scope,omitempty"`
	Domains    []string `json:"domains,omitempty"`
	Rate       *int     `json:"rate,omitempty"`
	DailyQuota *int     `json:"daily_quota,omitempty"`
	ExpiresAt  string   `json:"expires_at,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
}

// CreateKey makes an API key. It is not repeated by itself: a key that was made
// and whose answer was lost stays until it is revoked.
func (c *Client) CreateKey(ctx context.Context, d KeyDraft) (wire.CreatedKey, error) {
	var created wire.CreatedKey
	err := c.post(ctx, "/v1/api-keys", d, &created)
	return created, err
}

// KeyQuery selects keys of a list. The zero value is the newest page of the
// caller's tenant.
type KeyQuery struct {
	Tenant string
	After  string // only older than this id
	Limit  int
}

// Keys asks for one page of keys, newest first.
func (c *Client) Keys(ctx context.Context, q KeyQuery) (wire.KeyList, error) {
	var list wire.KeyList
	err := c.ask(ctx, http.MethodGet, "/v1/api-keys?"+values("tenant", q.Tenant, "after", q.After, "limit", number(q.Limit)), &list)
	return list, err
}

// RevokeKey ends a key for good.
func (c *Client) RevokeKey(ctx context.Context, id, tenant string) error {
	return c.ask(ctx, http.MethodDelete, "/v1/api-keys/"+url.PathEscape(id)+"?"+values("tenant", tenant), &wire.Deleted{})
}

// CreateTenant makes a tenant.
func (c *Client) CreateTenant(ctx context.Context, name string) (wire.Tenant, error) {
	var created wire.Tenant
	err := c.post(ctx, "/v1/tenants", map[string]string{"name": name}, &created)
	return created, err
}

// Tenants asks for one page of tenants, oldest first; after is the id of the
// last of the page before, 0 for the first page.
func (c *Client) Tenants(ctx context.Context, after int64, limit int) (wire.TenantList, error) {
	var list wire.TenantList
	err := c.ask(ctx, http.MethodGet, "/v1/tenants?"+values("after", number(int(after)), "limit", number(limit)), &list)
	return list, err
}

func (c *Client) post(ctx context.Context, path string, draft, answer any) error {
	body, err := exchange.Body(draft)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	_, err = c.Do(ctx, exchange.Request{Method: http.MethodPost, Path: path, Body: body}, answer)
	return err
}

// values is a query string of names and values in turn, without the empty ones.
func values(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
