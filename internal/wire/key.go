package wire

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/postrider/postrider/internal/message"
)

// maxKeyBody is the longest body of a request about a key or a tenant: 50
// domains and room for the rest.
const maxKeyBody = 32 << 10

// DecodeKey reads the body of POST /v1/api-keys. Errors are those of DecodeEmail,
// and name every field that could not be read.
func DecodeKey(r io.Reader) (*message.KeyDraft, error) {
	d := &message.KeyDraft{}
	return d, decode(r, func(in *reader, name string) (err error) {
		switch name {
		case "name":
			d.Name, _, err = in.text()
		case "permission":
			d.Permission, err = in.given(message.CodeInvalidField)
		case "domain_id":
			d.DomainID, err = in.given(message.CodeInvalidField)
		case "scope":
			d.Scope, err = in.given(message.CodeInvalidField)
		case "domains":
			d.Domains, err = in.domains()
		case "rate":
			d.Rate, err = in.whole(message.MaxKeyRate)
		case "daily_quota":
			d.DailyQuota, err = in.whole(message.MaxDailyQuota)
		case "expires_at":
			d.ExpiresAt, err = in.given(message.CodeInvalidExpiresAt)
		case "tenant":
			d.Tenant, err = in.given(message.CodeInvalidField)
		default:
			err = in.unknown(name, []string{"name", "permission", "domain_id", "scope", "domains", "rate", "daily_quota", "expires_at", "tenant"})
		}
		return err
	})
}

// DecodeTenant reads the body of POST /v1/tenants and returns the name.
func DecodeTenant(r io.Reader) (string, error) {
	var name string
	err := decode(r, func(in *reader, field string) (err error) {
		if field != "name" {
			return in.unknown(field, []string{"name"})
		}
		name, _, err = in.text()
		return err
	})
	if err == nil && !message.ValidTenantName(name) {
		var faults message.Faults
		faults.Add("/name", message.CodeInvalidField, "must be 1 to 64 lower-case letters, digits, dashes or underscores")
		err = faults.Err()
	}
	return name, err
}

// decode reads a small object whose members are read by member.
func decode(r io.Reader, member func(in *reader, name string) error) error {
	in, err := newReader(r, maxKeyBody)
	if err != nil {
		return err
	}
	err = in.document(func(name string) error { return member(in, name) })
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	return in.faults.Err()
}

// Key is an API key in a list. It is a superset of what Resend's SDKs read.
type Key struct {
	Object     string        `json:"object"` // always "api_key"
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Prefix     string        `json:"prefix"` // the first characters of the key
	Scope      message.Scope `json:"scope"`
	Domains    []string      `json:"domains"`     // of senders; none: any
	Rate       *int          `json:"rate"`        // requests a second; null: any number
	DailyQuota *int          `json:"daily_quota"` // recipients a day; null: any number
	ExpiresAt  Time          `json:"expires_at"`  // null: never
	CreatedAt  Time          `json:"created_at"`
	LastUsedAt Time          `json:"last_used_at"` // null: not yet
}

// KeyList is one page of keys, newest first.
type KeyList struct {
	Object  string `json:"object"` // always "list"
	HasMore bool   `json:"has_more"`
	Data    []Key  `json:"data"`
}

// CreatedKey is the answer to POST /v1/api-keys: the only place where the key
// itself, its token, is ever shown.
type CreatedKey struct {
	Object     string        `json:"object"` // always "api_key"
	ID         string        `json:"id"`
	Token      string        `json:"token"`
	Name       string        `json:"name"`
	Scope      message.Scope `json:"scope"`
	Domains    []string      `json:"domains"`
	Rate       *int          `json:"rate"`
	DailyQuota *int          `json:"daily_quota"`
	ExpiresAt  Time          `json:"expires_at"`
}

// Deleted answers a request that took something away.
type Deleted struct {
	Object  string `json:"object"`
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"` // always true
}

// Tenant owns emails, keys and all that belongs to them.
type Tenant struct {
	Object    string `json:"object"` // always "tenant"
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	CreatedAt Time   `json:"created_at"`
}

// TenantList is one page of tenants, oldest first.
type TenantList struct {
	Object  string   `json:"object"` // always "list"
	HasMore bool     `json:"has_more"`
	Data    []Tenant `json:"data"`
}

// NewKey shows a key.
func NewKey(k *message.APIKey) Key {
	l := &k.Limits
	return Key{
		Object: "api_key", ID: k.ID.String(), Name: k.Name, Prefix: k.Prefix, Scope: l.Scope, Domains: append([]string{}, l.Domains...),
		Rate: limit(l.Rate), DailyQuota: limit(l.DailyQuota), ExpiresAt: Time{l.ExpiresAt},
		CreatedAt: Time{k.CreatedAt}, LastUsedAt: Time{k.LastUsedAt},
	}
}

// NewKeyList shows a page of keys.
func NewKeyList(p *message.KeyPage) KeyList {
	list := KeyList{Object: "list", HasMore: p.HasMore, Data: []Key{}}
	for i := range p.Keys {
		list.Data = append(list.Data, NewKey(&p.Keys[i]))
	}
	return list
}

// NewCreatedKey shows a key with its token.
func NewCreatedKey(k *message.APIKey, token string) CreatedKey {
	shown := NewKey(k)
	return CreatedKey{
		Object: shown.Object, ID: shown.ID, Token: token, Name: shown.Name, Scope: shown.Scope, Domains: shown.Domains,
		Rate: shown.Rate, DailyQuota: shown.DailyQuota, ExpiresAt: shown.ExpiresAt,
	}
}

// NewTenant shows a tenant.
func NewTenant(t message.Tenant) Tenant {
	return Tenant{Object: "tenant", ID: t.ID, Name: t.Name, CreatedAt: Time{t.CreatedAt}}
}

// limit is null where there is none.
func limit(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// whole reads a whole number from 1 to most; null is the same as absent.
func (r *reader) whole(most int) (int, error) {
	switch r.dec.PeekKind() {
	case 'n':
		return 0, r.skip()
	case '0':
		raw, err := r.raw()
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(string(raw))
		if err != nil || n < 1 || n > most {
			r.fault(message.CodeInvalidField, fmt.Sprintf("must be a whole number from 1 to %d", most))
			return 0, nil
		}
		return n, nil
	}
	return 0, r.refuse(message.CodeInvalidField, fmt.Sprintf("must be a whole number from 1 to %d", most))
}

// domains reads a list of strings. One that is none keeps its place.
func (r *reader) domains() (list []string, err error) {
	switch r.dec.PeekKind() {
	case '[':
		err = r.array(func(int) error {
			s, err := r.required("must be a domain")
			list = append(list, s)
			return err
		})
		return list, err
	case 'n':
		return nil, r.skip()
	}
	return nil, r.refuse(message.CodeInvalidField, "must be a list of domains")
}
