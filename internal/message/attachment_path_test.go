package message

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestPathsOfAttachments holds what can be said of a URL before it is fetched.
func TestPathsOfAttachments(t *testing.T) {
	for path, want := range map[string]string{
		"https://example.com/a/b.pdf": "b.pdf", "http://example.com": "attachment", "HTTPS://EXAMPLE.COM/x%2Fy.pdf": "y.pdf",
		"https://example.com/a/..": "attachment", "https://example.com/gpj%E2%80%AEexe": "attachment", "https://example.com/a%0D%0Ab": "attachment",
		"https://example.com/%FF.pdf": "attachment", "https://example.com/a%5C..": "attachment", "https://example.com/..%20": "attachment", "https://example.com/a%5Cb.pdf": "b.pdf", "https://example.com/a/": "a",
		"https://[2001:db8::1]:8080/x?y=z#w": "x", "https://example.com/" + strings.Repeat("x", 300): "attachment",
		"ftp://example.com/x": "", "file:///etc/passwd": "", "gopher://x/": "", "javascript:x": "", "//example.com/x": "", "/x": "", "x": "", "https:///x": "", "https://:80/x": "",
		"https://user@example.com/": "", "https://user:pw@example.com/": "", "http://exa mple.com/": "", "http://example.com:port/": "", "http:example.com": "",
		"https://example.com/" + strings.Repeat("x", 2048): "", "https://example.com/\x00": "", "https://example.com/\n": "",
	} {
		d := &Draft{From: "a@example.com", To: []string{"b@example.com"}, Text: "x", Attachments: []DraftAttachment{{Path: path}}}
		m, err := DefaultLimits().Validate(d, time.Now())
		var refused *Error
		switch {
		case want == "":
			if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Pointer != "/attachments/0/path" {
				t.Errorf("%.60q: %v", path, err)
			}
		case err != nil:
			t.Errorf("%.60q: %v", path, err)
		case m.Attachments[0].Filename != want:
			t.Errorf("%.60q is called %q", path, m.Attachments[0].Filename)
		}
	}
}

func TestTextAndHTMLHaveALimitOfTheirOwn(t *testing.T) {
	limits := DefaultLimits()
	limits.BodyBytes = 100
	d := &Draft{From: "a@example.com", To: []string{"b@example.com"}, Text: strings.Repeat("x", 50), HTML: strings.Repeat("x", 51)}
	var refused *Error
	if _, err := limits.Validate(d, time.Now()); !errors.As(err, &refused) || refused.Fields[0].Code != CodeMessageTooLarge {
		t.Errorf("error %v", err)
	}
	d.Text = d.Text[1:]
	if _, err := limits.Validate(d, time.Now()); err != nil {
		t.Error(err)
	}
}
