package message

import (
	"slices"
	"strings"
	"testing"
)

func headers(list ...Header) func(*Draft) { return func(d *Draft) { d.Headers = list } }

func TestRow39HeaderNames(t *testing.T) {
	for _, name := range []string{"", "X A", "X:A", "X-A:", "X-A\r\nBcc", "X-Ä", "X\tA", "X-A ", " X-A", "X(A)", "X\"A", "X/A", "X@A", "\x7f", "X\u2028", "X\xff"} {
		expect(t, "row 39: "+name, headers(Header{name, "v"}), Pointer("headers", name)+" invalid_header")
	}
	for _, name := range []string{
		"From", "from", "TO", "Cc", "Bcc", "bCC", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "Message-Id", "MIME-Version",
		"Content-Type", "Content-Transfer-Encoding", "content-x", "Received", "Return-Path", "DKIM-Signature", "DomainKey-Signature",
		"Resent-To", "Resent-Bcc", "ARC-Seal", "Authentication-Results", "Delivered-To", "X-Postrider-Id",
	} {
		expect(t, "row 39, 41: "+name, headers(Header{name, "v"}), Pointer("headers", name)+" reserved_header")
	}
	for _, name := range []string{"X-A", "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", "Precedence", "Feedback-ID", "x", "Tommy"} {
		expect(t, name, headers(Header{name, "v"}))
	}
	expect(t, "twice", headers(Header{"X-A", "1"}, Header{"x-a", "2"}), "/headers/x-a invalid_header")
	expect(t, "longest", headers(Header{strings.Repeat("X", 76), ""}))
	expect(t, "too long", headers(Header{strings.Repeat("X", 77), ""}), Pointer("headers", strings.Repeat("X", 77))+" header_too_large")
}

func TestRow40HeaderValues(t *testing.T) {
	for name, value := range map[string]string{
		"CR": "a\rb", "LF": "a\nb", "folded": "a\r\n b", "CRLF Bcc": "a\r\nBcc: x", "CRLF first": "\r\na", "LF last": "a\n", "escape": "\x1b[2J", "vertical tab": "\v", "DEL": "\x7f",
	} {
		expect(t, name, headers(Header{"X-A", value}), "/headers/X-A invalid_header")
	}
	expect(t, "row 9: NUL", headers(Header{"X-A", "\x00"}), "/headers/X-A invalid_field")
	expect(t, "row 8: invalid UTF-8", headers(Header{"X-A", "\xff"}), "/headers/X-A invalid_field")
	expect(t, "2 kB", headers(Header{"X-A", strings.Repeat("abc ", 511)}))
	expect(t, "2 kB and more", headers(Header{"X-A", strings.Repeat("abc ", 512)}), "/headers/X-A header_too_large")
	expect(t, "100 kB", headers(Header{"X-A", strings.Repeat("a", 100_000)}), "/headers/X-A header_too_large")
	expect(t, "cannot be folded", headers(Header{"X-A", strings.Repeat("a", 901)}), "/headers/X-A header_too_large")
	expect(t, "can be folded", headers(Header{"X-A", strings.Repeat("a", 900) + "\t" + strings.Repeat("b", 900)}))
	expect(t, "empty, UTF-8", headers(Header{"X-A", ""}, Header{"X-B", "ü 👩‍💻"}))
	many := make([]Header, 1000)
	for i := range many {
		many[i] = Header{"X-" + strings.Repeat("a", i%70) + string(rune('a'+i/70)), "v"}
	}
	expect(t, "100 headers", headers(many[:100]...))
	expect(t, "row 40: 1,000 headers", headers(many...), "/headers header_too_large")
}

func FuzzHeader(f *testing.F) {
	for _, h := range []Header{{"X-A", "v"}, {"Bcc", "x"}, {"List-Unsubscribe", "<mailto:a@example.com>"}, {"X-A", "a\r\nBcc: x"}, {"x\x00", "\xff"}, {"Content-Type", ""}} {
		f.Add(h.Name, h.Value)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		m, err := validate(headers(Header{name, value}))
		if err != nil {
			faultsOf(t, err)
			return
		}
		h := m.Head.Headers[0]
		if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || strings.ContainsAny(h.Name, ": \t") || h.Name == "" || len(h.Name+h.Value) > 2048 {
			t.Errorf("accepted %q", h)
		}
		reserved := []string{"from", "to", "cc", "bcc", "subject", "date", "message-id", "received", "dkim-signature", "mime-version"}
		if lower := strings.ToLower(h.Name); slices.Contains(reserved, lower) || strings.HasPrefix(lower, "content-") {
			t.Errorf("accepted the reserved %q", h)
		}
	})
}
