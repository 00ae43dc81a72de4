package message

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxPath = 2048

// path checks the URL of an attachment that is to be fetched, and returns the name that
// its file has there; "" where that is none to give to people.
func (v *validator) path(pointer, s string) (name string) {
	if s == "" || !v.plain(pointer, s) {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case len(s) > maxPath:
		v.fault(pointer, CodeInvalidAttachment, fmt.Sprintf("must be at most %d bytes", maxPath))
		return ""
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		v.fault(pointer, CodeInvalidAttachment, "must be the URL of a file, such as https://example.com/invoice.pdf")
		return ""
	case u.Scheme != "http" && u.Scheme != "https":
		v.fault(pointer, CodeInvalidAttachment, "must begin with https:// or http://")
		return ""
	case u.User != nil:
		v.fault(pointer, CodeInvalidAttachment, "must not hold a user or password")
		return ""
	}
	name = baseName(path.Clean(u.Path))
	if name == "." || name == ".." || len(name) > v.limits.FilenameLength || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsFunc(name, deceives) {
		return ""
	}
	return name
}
