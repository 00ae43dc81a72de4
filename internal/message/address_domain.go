package message

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// parseDomain returns the domain in lower case ASCII.
//
// International names go through the registration profile of IDNA 2008, which
// refuses what the lookup profile would map in silence: fullwidth letters and
// dots, circled digits, invisible joiners out of place, mixed directions. Only
// upper case is mapped, because people write names so.
func parseDomain(domain string) (string, error) {
	switch {
	case strings.HasPrefix(domain, "["):
		return "", addressError("must not have an IP address after the @")
	case len(domain) > 4*maxDomain: // before work that grows with it; no 253 ASCII bytes come from more
		return "", errDomainLong()
	}
	if strings.ContainsFunc(domain, lowersToASCII) {
		return "", addressError("must have a valid international domain after the @")
	}
	ascii, err := toASCII(strings.ToLower(domain))
	if err != nil {
		return "", err
	}
	if len(ascii) > maxDomain {
		return "", errDomainLong()
	}
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	if len(labels) < 2 {
		return "", addressError("must have a full domain after the @, such as example.com")
	}
	return ascii, checkTop(labels[len(labels)-1])
}

// lowersToASCII finds the signs whose lower case is a plain letter, the Kelvin
// sign among them: lower case would make another domain of what was written.
func lowersToASCII(r rune) bool {
	return r >= utf8.RuneSelf && unicode.ToLower(r) < utf8.RuneSelf
}

func errDomainLong() error {
	return addressError(fmt.Sprintf("must have at most %d bytes after the @", maxDomain))
}

func toASCII(domain string) (string, error) {
	if !strings.Contains(domain, "xn--") && !strings.ContainsFunc(domain, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return domain, nil
	}
	ascii, err := idna.Registration.ToASCII(domain)
	if err != nil {
		return "", addressError("must have a valid international domain after the @")
	}
	return ascii, nil
}

// checkLabel holds a label to letters, digits and inner hyphens (RFC 5321,
// 4.1.2).
func checkLabel(label string) error {
	switch {
	case label == "":
		return addressError("must have a domain after the @ without empty parts")
	case len(label) > maxLabelOf:
		return addressError(fmt.Sprintf("must have parts of at most %d bytes in its domain", maxLabelOf))
	case label[0] == '-' || label[len(label)-1] == '-':
		return addressError("must have no part of its domain begin or end with a hyphen")
	case strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !asciiLetterOrDigit(r) }):
		return addressError("must have only letters, digits, hyphens and dots after the @")
	}
	return nil
}

// checkTop refuses last labels that no registry has: with digits in it a name
// may be an IP address in one of its many spellings, such as 127.0x1.
func checkTop(label string) error {
	digit := strings.ContainsAny(label, "0123456789")
	if len(label) < 2 || digit && !strings.HasPrefix(label, "xn--") {
		return addressError("must end in a top-level domain, such as .com")
	}
	return nil
}
