package mailcatch

import (
	"net/url"
	"regexp"

	"github.com/microcosm-cc/bluemonday"
)

// previewPolicy is the CSP of the HTML preview: a document of its own origin
// that runs nothing and loads nothing but the mail's own pictures. Links open
// in a new window, which is how a reader follows a confirmation link.
const previewPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// newSanitizer builds the policy for HTML of unknown senders. It is what is
// left when the sandbox and the CSP of the preview were both not there: no
// script, no form, no frame, no address but http, https, mailto, and cid,
// which is led to the mail's own pictures.
func newSanitizer() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowURLSchemes("http", "https", "mailto", "cid")
	p.AllowDataURIImages()
	p.AllowRelativeURLs(false)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.SkipElementsContent("title", "textarea")
	p.RewriteSrc(ownPictures)
	allowLook(p)
	return p
}

// allowLook lets through what mails are laid out with. A style attribute is
// taken or left whole: the pattern is linear in its length and has no room
// for url(), escapes or comments, where bluemonday's own handlers for single
// properties take exponential time on hostile values.
func allowLook(p *bluemonday.Policy) {
	style := regexp.MustCompile(`(?i)^(?:[-\w\s:;,.%#!'"+/]|\b(?:rgba?|hsla?|calc)\([-\w\s,.%+/]*\))*$`)
	plain := regexp.MustCompile(`^[-\w\s#%.,]*$`)
	p.AllowAttrs("style").Matching(style).Globally()
	p.AllowAttrs("align", "valign", "bgcolor", "width", "height", "color", "face", "size", "border", "cellpadding", "cellspacing").
		Matching(plain).
		OnElements("table", "tbody", "thead", "tfoot", "tr", "td", "th", "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "font", "hr", "center", "img")
	p.AllowElements("font", "center")
}

// ownPictures leads cid: addresses to the mail's parts, relative to the
// preview's own address, and leaves no other place to load from.
func ownPictures(u *url.URL) {
	switch u.Scheme {
	case "data":
	case "cid":
		id, err := url.PathUnescape(u.Opaque)
		if err != nil {
			id = u.Opaque
		}
		*u = url.URL{Path: "cid/" + id, RawPath: "cid/" + url.PathEscape(id)}
	default:
		*u = url.URL{}
	}
}
