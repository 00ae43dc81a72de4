package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// KeyDraft is what is asked of a new key, as it was read: scope and domains in
// our words, Permission and DomainID in Resend's. A zero Rate and DailyQuota are
// no limit.
type KeyDraft struct {
	Name       string
	Permission string // full_access or sending_access
	Scope      string
	DomainID   string
	Domains    []string
	Rate       int
	DailyQuota int
	ExpiresAt  string
	Tenant     string // whose key it shall be; "": that of who asks
}

// The bounds of what a key may be told, and of how many there may be.
const (
	maxKeyName    = 100 // characters
	maxKeyDomains = 50
	MostKeys      = 1_000  // of one tenant that are not revoked
	MaxKeyRate    = 10_000 // requests a second; a gap of the rate is whole microseconds
	MaxDailyQuota = 1_000_000_000
)

// Validate returns the name and the limits that are asked for, or an *Error of
// CodeValidation that names every fault. Without a word on it the scope is full,
// as it is at Resend.
func (d *KeyDraft) Validate(now time.Time) (name string, limits KeyLimits, err error) {
	var faults Faults
	name = strings.TrimSpace(d.Name)
	switch {
	case name == "":
		faults.Add("/name", CodeMissingField, "give the key a name")
	case utf8.RuneCountInString(name) > maxKeyName || strings.ContainsFunc(name, unicode.IsControl):
		faults.Add("/name", CodeInvalidField, fmt.Sprintf("must be 1 to %d characters on one line", maxKeyName))
	}
	limits = KeyLimits{Scope: d.scope(&faults), Domains: d.domains(&faults), Rate: d.Rate, DailyQuota: d.DailyQuota, ExpiresAt: d.expiresAt(now, &faults)}
	d.checkNumbers(&faults)
	if limits.Scope == ScopeAdmin && len(limits.Domains) > 0 {
		faults.Add("/domains", CodeInvalidField, "must be left out of an admin key: it could make itself another without them")
	}
	return name, limits, faults.Err()
}

func (d *KeyDraft) scope(faults *Faults) Scope {
	permitted := map[string]Scope{"": "", "full_access": ScopeFull, "sending_access": ScopeSending}
	scope, known := permitted[d.Permission]
	if !known {
		faults.Add("/permission", CodeInvalidField, "must be full_access or sending_access; scope has more to choose from")
	}
	switch {
	case d.Scope == "" && scope == "":
		return ScopeFull
	case d.Scope == "":
		return scope
	case !slices.Contains(Scopes(), Scope(d.Scope)):
		faults.Add("/scope", CodeInvalidField, "must be one of sending, read, full, admin")
	case scope != "" && scope != Scope(d.Scope):
		faults.Add("/scope", CodeInvalidField, "must say the same as permission, or be left out")
	}
	return Scope(d.Scope)
}

func (d *KeyDraft) domains(faults *Faults) []string {
	if len(d.Domains) > maxKeyDomains {
		faults.Add("/domains", CodeTooLarge, fmt.Sprintf("has %d domains, at most %d are allowed", len(d.Domains), maxKeyDomains))
		return nil
	}
	var list []string
	add := func(pointer, text string) {
		domain, err := parseKeyDomain(text)
		if err != nil {
			faults.Add(pointer, CodeInvalidField, "must be a domain such as example.com, or *.example.com for all below it")
		}
		list = append(list, domain)
	}
	if d.DomainID != "" { // domains have no ids here but their names
		add("/domain_id", d.DomainID)
	}
	for i, text := range d.Domains {
		add(Pointer("domains", strconv.Itoa(i)), text)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func parseKeyDomain(text string) (string, error) {
	below, wildcard := strings.CutPrefix(text, "*.")
	domain, err := parseDomain(below)
	if err == nil && wildcard {
		return "*." + domain, nil
	}
	return domain, err
}

func (d *KeyDraft) checkNumbers(faults *Faults) {
	if d.Rate < 0 || d.Rate > MaxKeyRate {
		faults.Add("/rate", CodeInvalidField, fmt.Sprintf("must be a number from 1 to %d", MaxKeyRate))
	}
	if d.DailyQuota < 0 || d.DailyQuota > MaxDailyQuota {
		faults.Add("/daily_quota", CodeInvalidField, fmt.Sprintf("must be a number from 1 to %d", MaxDailyQuota))
	}
}

func (d *KeyDraft) expiresAt(now time.Time, faults *Faults) time.Time {
	if d.ExpiresAt == "" {
		return time.Time{}
	}
	t, ok := ParseTime(d.ExpiresAt)
	switch {
	case !ok:
		faults.Add("/expires_at", CodeInvalidExpiresAt, timeForm)
	case !t.After(now):
		faults.Add("/expires_at", CodeInvalidExpiresAt, "must be in the future")
	}
	return t
}

// ValidTenantName reports whether a tenant may have the name: 1 to 64 lower-case
// letters, digits, dashes or underscores.
func ValidTenantName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
