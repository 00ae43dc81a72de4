package message

import (
	"strings"
	"testing"
	"unicode"
)

func TestParseAddress(t *testing.T) {
	local64 := strings.Repeat("a", 64)
	label63 := strings.Repeat("a", 63)
	domain189 := label63 + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 57) + ".com" // 63+1+63+1+57+4
	cases := map[string]Address{
		"a@example.com":                         {"", "a@example.com"},
		"<a@example.com>":                       {"", "a@example.com"},
		" A B <a@example.com> ":                 {"A B", "a@example.com"},
		"A B<a@example.com>":                    {"A B", "a@example.com"},
		`"Doe, Jane (CEO)" <j@example.com>`:     {"Doe, Jane (CEO)", "j@example.com"},
		`"a \"b\" \\" <j@example.com>`:          {`a "b" \`, "j@example.com"},
		`"" <j@example.com>`:                    {"", "j@example.com"},
		"Dr. Müller-O'Neil 👩‍💻 <m@example.com>": {"Dr. Müller-O'Neil 👩‍💻", "m@example.com"},
		"مثال <m@example.com>":                  {"مثال", "m@example.com"},
		"!#$%&'*+-/=?^_`{|}~.x@example.com":     {"", "!#$%&'*+-/=?^_`{|}~.x@example.com"},
		"Sales@EXAMPLE.Com":                     {"", "Sales@example.com"},
		"a@xn--bcher-kva.example":               {"", "a@xn--bcher-kva.example"},
		"a@XN--BCHER-KVA.example":               {"", "a@xn--bcher-kva.example"},
		"a@bücher.example":                      {"", "a@xn--bcher-kva.example"},
		"a@BÜCHER.example":                      {"", "a@xn--bcher-kva.example"},
		"a@faß.de":                              {"", "a@xn--fa-hia.de"},
		"jeff@臺網中心.tw":                          {"", "jeff@xn--fiqq24b10vi0d.tw"},    // row 31
		"a@аpple.com":                           {"", "a@xn--pple-43d.com"},           // row 34: Cyrillic а
		"用户@例え.jp":                              {"", "用户@xn--r8jz45g.jp"},            // row 32
		"δοκιμή@παράδειγμα.gr":                  {"", "δοκιμή@xn--hxajbheg2az3al.gr"}, // row 32
		"a@xn--p1ai.xn--p1ai":                   {"", "a@xn--p1ai.xn--p1ai"},
		"a@1-2.example":                         {"", "a@1-2.example"},
		"a@123.example.com":                     {"", "a@123.example.com"},
		local64 + "@example.com":                {"", local64 + "@example.com"},
		local64 + "@" + domain189:               {"", local64 + "@" + domain189},
		"a@" + label63 + ".com":                 {"", "a@" + label63 + ".com"},
	}
	for s, want := range cases {
		got, err := ParseAddress(s)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", s, got, err, want)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%q written as %q reads %+v, %v", s, got, again, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	groups := map[string][]string{
		"row 23": {"", " ", "a", "a@b@c", "a@b@example.com", "@x", "@example.com", "x@", "a..b@example.com", ".a@example.com", "a.@example.com", "a b@example.com",
			"a@", "@", "<>", "<a@example.com", "a@example.com>", "a <b@example.com> c", "a@example.com.", "a@.example.com", "a@example..com",
			"mailto:a@example.com", "a@example.com?cc=b", "<<a@example.com>>", "a <>"},
		"row 24": {strings.Repeat("a", 65) + "@example.com", strings.Repeat("ä", 33) + "@example.com", "a@" + strings.Repeat("a", 64) + ".com",
			"a@" + strings.Repeat("a.", 126) + "com", strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 46)+".", 4) + "com",
			"a@" + strings.Repeat("ä", 60) + ".com", "a@" + strings.Repeat("ä", 1<<20) + ".com"},
		"row 25": {`"a b"@example.com`, `"a@b"@example.com`, `"a"@example.com`, `"a".b@example.com`, `A <"a b"@example.com>`, `a\ b@example.com`, `""@example.com`},
		"row 26": {`"t@example.com> ORCPT=admin@admin.com"@example.com`, "t@example.com> ORCPT=admin@admin.com", "<t@example.com> SIZE=1", "a@example.com SIZE=1",
			"A <t@example.com> ORCPT=x <a@example.com>"},
		"row 27": {"a@example.com\r\nRCPT TO:<evil@example.org>", "a@example.com\n", "\na@example.com", "A\r <a@example.com>", "\"A\nB\" <a@example.com>",
			"\"A\\\nB\" <a@example.com>", "a@exam\r\n ple.com", "a\x00@example.com", "a\t@example.com", "A\tB <a@example.com>", "a@example.com\x7f",
			"a\u0085@example.com", "A\u0085B <a@example.com>", "A\x1b[2J <a@example.com>"},
		"row 28": {"Bob <a@example.com>, <b@example.com>", "a@example.com, b@example.com", "a@example.com,b@example.com", "a@example.com;b@example.com",
			"a@example.com b@example.com", "Team: a@example.com, b@example.com;", "undisclosed-recipients:;", "a@example.com <b@example.com>",
			`"A" <a@example.com>, "B" <b@example.com>`, "Acme, Inc. <a@example.com>"},
		"row 29": {"a@[127.0.0.1]", "a@[IPv6:::1]", "a@[", "a@localhost", "a@io", "a@127.0.0.1", "a@127.1", "a@2130706433", "a@0x7f.0x1", "a@1.0x7f", "a@::1",
			"a@example.com:25", "a@example.c0m", "a@example.x"},
		"row 30": {"a(c)@example.com", "(c)a@example.com", "a@example.com(c)", "a@(c)example.com", "a@ example.com", "a @example.com", "a@exam ple.com",
			"A (c) <a@example.com>", "a@example.com (A)", "< a@example.com>", "<a@example.com >", "<@relay.example:a@example.com>"},
		"row 33": {"a＠example.com", "a@example．com", "a@example。com", "a@example｡com", "a@ｅxample.com", "a@exam\u200bple.com", "a@exam\u200dple.com",
			"a@exam\u00adple.com", "a@\u202eexample.com", "a@exa\u2066mple.com", "a@example.com\u200b", "\ufeffa@example.com", "a\u200b@example.com",
			"a\u202eb@example.com", "a\u00a0b@example.com", "a\u3000b@example.com", "a@①.com", "a@example.t\u212a", "a@e\u0301xample.com",
			"a@ℂ.com", "a@example.com/b", "a﹫b@example.com", "A\u202eB <a@example.com>", `"A` + "\u2067" + `B" <a@example.com>`, "a@\u0130x.com"},
		"domains": {"a@exa_mple.com", "a@-example.com", "a@example-.com", "a@example.com-", "a@xn--.com", "a@xn--a.com", "a@xn--ls8h.xn--", "a@exa!mple.com",
			"a@example.com\\", "a@*.example.com", "a@א1a.com"},
		"names": {"=?utf-8?q?a=0D=0ABcc:_x?= <a@example.com>", `"A <a@example.com>`, `"A"B <a@example.com>`, `A"B <a@example.com>`, `"A\" <a@example.com>`,
			"a@b <a@example.com>", strings.Repeat("a", 257) + " <a@example.com>"},
		"row 8": {"\xff@example.com", "a@\xc0\xaf.com", "\xed\xa0\x80 <a@example.com>", "a\ufffd@example.com"},
	}
	for row, list := range groups {
		for _, s := range list {
			if a, err := ParseAddress(s); err == nil {
				t.Errorf("%s: %q was read as %+v", row, s, a)
			} else if len(err.Error()) > 200 {
				t.Errorf("%s: the refusal of %.40q is %d bytes long", row, s, len(err.Error()))
			}
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"a@example.com", `"A, \"B" <a@bücher.example>`, "Ü <用户@例え.jp>", "a@b@c", "<a@b.c", "a@xn--p1ai.xn--p1ai"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		local, domain, _ := cutLast(a.Email)
		if local == "" || len(local) > 64 || len(domain) > 253 || len(a.Email) > 254 || !strings.Contains(domain, ".") {
			t.Errorf("%q has the sizes of no address", a.Email)
		}
		if strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII || r >= 'A' && r <= 'Z' }) {
			t.Errorf("%q is not in lower case ASCII", domain)
		}
		if strings.ContainsAny(a.Email, " \"\\<>()[],;:") || strings.ContainsFunc(a.Name+a.Email, unicode.IsControl) {
			t.Errorf("%+v could be read as something else", a)
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%+v is written %q and that reads %+v, %v", a, a.String(), again, err)
		}
	})
}

func cutLast(email string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(email, '@')
	return email[:at], email[at+1:], at >= 0
}
