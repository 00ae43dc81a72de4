package message

import (
	"fmt"
	"strings"
)

// maxHeaderName keeps "Name: " and the first word of the value on one line.
const maxHeaderName = 76

// maxHeaderWord is the longest run without a blank in a header's value. A line
// of a mail ends after 998 bytes (RFC 5322, 2.1.1) and can only be folded at a
// blank.
const maxHeaderWord = 900

func (v *validator) headers(headers []Header) []Header {
	if len(headers) > v.limits.Headers {
		v.fault("/headers", CodeHeaderTooLarge, fmt.Sprintf("has %d headers, at most %d are allowed", len(headers), v.limits.Headers))
		return nil
	}
	var list []Header
	seen := map[string]bool{}
	for _, h := range headers {
		at := Pointer("headers", h.Name)
		key := strings.ToLower(h.Name)
		if code, detail := checkHeaderName(h.Name); code != "" {
			v.fault(at, code, detail)
		} else if seen[key] {
			v.fault(at, CodeInvalidHeader, "is given twice")
		} else if v.plain(at, h.Value) {
			v.headerValue(at, h)
		}
		seen[key] = true
		list = append(list, Header{Name: h.Name, Value: strings.Trim(h.Value, " \t")})
	}
	return list
}

func (v *validator) headerValue(pointer string, h Header) {
	switch {
	case len(h.Name)+len(h.Value) > v.limits.HeaderBytes:
		v.fault(pointer, CodeHeaderTooLarge, fmt.Sprintf("name and value must be at most %d bytes together", v.limits.HeaderBytes))
	case strings.ContainsAny(h.Value, "\r\n"):
		v.fault(pointer, CodeInvalidHeader, "must be one line, without CR and LF")
	case strings.ContainsFunc(h.Value, controlButTab):
		v.fault(pointer, CodeInvalidHeader, "must not contain control characters")
	case longestWord(h.Value) > maxHeaderWord:
		v.fault(pointer, CodeHeaderTooLarge, fmt.Sprintf("must have a blank after %d bytes at most, or it cannot be folded", maxHeaderWord))
	}
}

// checkHeaderName returns the code and the reason for which name cannot be a
// custom header, or "".
func checkHeaderName(name string) (Code, string) {
	switch {
	case name == "" || strings.ContainsFunc(name, notToken):
		return CodeInvalidHeader, "the name must be ASCII letters, digits and dashes"
	case len(name) > maxHeaderName:
		return CodeHeaderTooLarge, fmt.Sprintf("the name must be at most %d bytes", maxHeaderName)
	case reservedHeader(strings.ToLower(name)):
		return CodeReservedHeader, "is set by Postrider or by mail servers and cannot be given"
	}
	return "", ""
}

// notToken is the token of RFC 9110, 5.6.2: stricter than a field name of
// RFC 5322, which may hold parentheses, quotes and slashes that nobody needs
// and parsers disagree on.
func notToken(r rune) bool {
	return !asciiLetterOrDigit(r) && (r == 0 || !strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func controlButTab(r rune) bool { return r != '\t' && (r < ' ' || r == 0x7f) }

func longestWord(s string) int {
	longest := 0
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' }) {
		longest = max(longest, len(word))
	}
	return longest
}

// reservedHeader reports whether a header, in lower case, is not the caller's
// to give: it is made from another field of the request, belongs to the MIME
// structure, or is a trace or proof that only mail servers may add.
func reservedHeader(name string) bool {
	for _, prefix := range []string{"content-", "resent-", "arc-", "x-postrider-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "mime-version", "apparently-to":
		return true
	case "received", "received-spf", "return-path", "delivered-to", "x-original-to", "envelope-to",
		"authentication-results", "dkim-signature", "domainkey-signature":
		return true
	}
	return false
}
