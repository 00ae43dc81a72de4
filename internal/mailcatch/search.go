package mailcatch

import "strings"

// searchWindow is how much text is lowered at once: a search must not copy
// every stored mail whole.
const searchWindow = 64 << 10 // bytes

// matcher tells whether a mail is searched for.
type matcher func(m *mail) bool

// newMatcher knows MailHog's kinds: from and to look at envelope and header,
// containing at all header values and the body. Case does not matter.
func newMatcher(kind, query string) (matcher, bool) {
	query = strings.ToLower(query)
	switch kind {
	case "from":
		return func(m *mail) bool {
			return containsFold(m.from, query) || headerContains(m, "From", query)
		}, true
	case "to":
		return func(m *mail) bool {
			return containsFold(strings.Join(m.to, "\n"), query) || headerContains(m, "To", query)
		}, true
	case "containing":
		return func(m *mail) bool {
			_, body := split(m.raw)
			return headerContains(m, "", query) || containsFold(body, query)
		}, true
	}
	return nil, false
}

// newPageMatcher is the page's one search field: any of the kinds, or the
// subject as a reader sees it.
func newPageMatcher(query string) matcher {
	from, _ := newMatcher("from", query)
	to, _ := newMatcher("to", query)
	containing, _ := newMatcher("containing", query)
	lowered := strings.ToLower(query)
	return func(m *mail) bool {
		return containsFold(m.subject, lowered) || containsFold(m.sender, lowered) || from(m) || to(m) || containing(m)
	}
}

// headerContains looks at the values of one header, or of all with no name.
func headerContains(m *mail, name, lowered string) bool {
	head, _ := split(m.raw)
	for _, f := range parseFields(head) {
		if (name == "" || strings.EqualFold(f.Name, name)) && containsFold(f.Value, lowered) {
			return true
		}
	}
	return false
}

func containsFold(s, lowered string) bool {
	// Lowering can change a text's length, most where the Kelvin sign, of three bytes,
	// becomes k: three times the query is enough overlap.
	overlap := 3 * len(lowered)
	for len(s) > searchWindow+overlap {
		if strings.Contains(strings.ToLower(s[:searchWindow+overlap]), lowered) {
			return true
		}
		s = s[searchWindow:]
	}
	return strings.Contains(strings.ToLower(s), lowered)
}

func filter(mails []*mail, match matcher) []*mail {
	var found []*mail
	for _, m := range mails {
		if match(m) {
			found = append(found, m)
		}
	}
	return found
}
