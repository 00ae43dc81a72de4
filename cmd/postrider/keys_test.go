package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

const testToken = "pr_0000000000000000000000000000000000000000000ABCDEF"

// keyServer reads requests about keys and tenants as the real one does, and notes
// what was asked of it.
type keyServer struct {
	drafts  []*message.KeyDraft
	revoked []string
	tenants []string
	keys    []message.APIKey
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/api-keys", s.create)
	mux.HandleFunc("GET /v1/api-keys", func(w http.ResponseWriter, r *http.Request) {
		s.tenants = append(s.tenants, r.URL.Query().Get("tenant"))
		answer(w, http.StatusOK, wire.NewKeyList(&message.KeyPage{Keys: s.keys, HasMore: len(s.keys) > 0}))
	})
	mux.HandleFunc("DELETE /v1/api-keys/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != testID {
			refusal(w, http.StatusNotFound, "not_found")
			return
		}
		s.revoked = append(s.revoked, r.URL.Query().Get("tenant"))
		answer(w, http.StatusOK, wire.Deleted{Object: "api_key", ID: testID, Deleted: true})
	})
	mux.HandleFunc("POST /v1/tenants", func(w http.ResponseWriter, r *http.Request) {
		name, err := wire.DecodeTenant(r.Body)
		if err != nil {
			refusal(w, http.StatusUnprocessableEntity, message.CodeValidation)
			return
		}
		answer(w, http.StatusCreated, wire.NewTenant(message.Tenant{ID: 2, Name: name}))
	})
	mux.HandleFunc("GET /v1/tenants", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, wire.TenantList{Object: "list", HasMore: true, Data: []wire.Tenant{{Object: "tenant", ID: 1, Name: "default"}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("POSTRIDER_URL", server.URL)
	t.Setenv("POSTRIDER_API_KEY", testKey)
	return s
}

func (s *keyServer) create(w http.ResponseWriter, r *http.Request) {
	d, err := wire.DecodeKey(r.Body)
	if err == nil {
		_, _, err = d.Validate(time.Now())
	}
	if err != nil {
		refusal(w, http.StatusUnprocessableEntity, message.CodeValidation)
		return
	}
	if d.Tenant == "other" {
		refusal(w, http.StatusUnauthorized, message.CodeRestrictedAPIKey)
		return
	}
	s.drafts = append(s.drafts, d)
	answer(w, http.StatusCreated, wire.NewCreatedKey(&message.APIKey{ID: uuid.MustParse(testID), Name: d.Name, Limits: message.KeyLimits{Scope: message.Scope(d.Scope)}}, testToken))
}

func TestAKeyIsPrintedAlone(t *testing.T) {
	s := newKeyServer(t)
	o := tool(t, "", "keys", "create", "--name", "shop", "--scope", "sending", "--domain", "a.example", "--domain", "*.b.example", "--rate", "20", "--daily-quota", "500", "--expires", "30d")
	o.expect(t, exitDone, testID)
	if o.out != testToken+"\n" {
		t.Errorf("standard output is %q, want the key alone", o.out)
	}
	d := s.drafts[0]
	if d.Name != "shop" || d.Scope != "sending" || strings.Join(d.Domains, " ") != "a.example *.b.example" || d.Rate != 20 || d.DailyQuota != 500 {
		t.Errorf("asked for %+v", d)
	}
	if at, err := time.Parse(time.RFC3339, d.ExpiresAt); err != nil || time.Until(at).Round(time.Hour) != 720*time.Hour {
		t.Errorf("expires at %s", d.ExpiresAt)
	}
	tool(t, "", "keys", "create", "--name", "shop", "--json").expect(t, exitDone, `"token": "`+testToken)
	tool(t, "", "keys", "create").expect(t, exitUsage, "--name")
	tool(t, "", "keys", "create", "--name", "x", "--scope", "root").expect(t, exitUsage, "sending")
	tool(t, "", "keys", "create", "--name", "x", "--rate", "0").expect(t, exitFailed, "422")
	tool(t, "", "keys", "create", "--name", "x", "--tenant", "other").expect(t, exitFailed, "restricted_api_key", "admin key")
	if len(s.drafts) != 2 {
		t.Errorf("%d keys made, want 2", len(s.drafts))
	}
}

func TestKeysAreListedAndRevoked(t *testing.T) {
	s := newKeyServer(t)
	tool(t, "", "keys", "list").expect(t, exitDone, "There are none")
	s.keys = []message.APIKey{
		{ID: uuid.MustParse(testID), Name: "shop\x1b[2J", Prefix: "pr_12345", Limits: message.KeyLimits{Scope: message.ScopeSending, Domains: []string{"a.example"}, Rate: 20}},
		{ID: uuid.MustParse(testID), Name: "admin", Prefix: "pr_67890", LastUsedAt: time.Now(), Limits: message.KeyLimits{Scope: message.ScopeAdmin, DailyQuota: 7, ExpiresAt: time.Now()}},
	}
	o := tool(t, "", "keys", "list", "--tenant", "shop")
	o.expect(t, exitDone, "--after "+testID)
	golden(t, "keys-list", o.out)
	tool(t, "", "keys", "revoke", testID, "--tenant", "shop").expect(t, exitDone, "5 seconds")
	tool(t, "", "keys", "revoke", "x").expect(t, exitFailed, "not_found")
	if s.tenants[1] != "shop" || len(s.revoked) != 1 || s.revoked[0] != "shop" {
		t.Errorf("listed of %v, revoked of %v", s.tenants, s.revoked)
	}
}

func TestTenantsAreMadeAndListed(t *testing.T) {
	newKeyServer(t)
	o := tool(t, "", "tenants", "create", "shop")
	if o.expect(t, exitDone, "--tenant shop"); o.out != "shop\n" {
		t.Errorf("standard output is %q", o.out)
	}
	tool(t, "", "tenants", "create", "The Shop").expect(t, exitFailed, "422")
	tool(t, "", "tenants", "list").expect(t, exitDone, "default", "--after 1")
	tool(t, "", "tenants", "list", "--json").expect(t, exitDone, `"has_more": true`)
}
