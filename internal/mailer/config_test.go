package mailer_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/mailer"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string]string{
		"smtp://mail.example.com":                                   "mail.example.com:587",
		"smtp://mail.example.com?tls=required":                      "mail.example.com:587",
		"smtp://mail.example.com?tls=implicit":                      "mail.example.com:465",
		"smtp://mail.example.com?tls=none":                          "mail.example.com:25",
		"smtp://mail.example.com:2525/?tls=none":                    "mail.example.com:2525",
		"smtp://user%40example.com:p%2Fw@mail.example.com":          "mail.example.com:587",
		"smtp://[::1]:1025?tls=none":                                "[::1]:1025",
		"smtp://user:secret@127.0.0.1:1025?tls=none":                "127.0.0.1:1025",
		"smtp://user:secret@localhost?tls=none":                     "localhost:25",
		"smtp://user:secret@[::1]?tls=none":                         "[::1]:25",
		"http://mail.example.com":                                   "",
		"smtp:mail.example.com":                                     "",
		"smtp://":                                                   "",
		"smtp://user:se/cret@mail.example.com":                      "",
		"smtp://user:secret@mail.example.com:99999":                 "",
		"smtp://user:secret@mail.example.com:0":                     "",
		"smtp://user:secret@mail.example.com:smtp":                  "",
		"smtp://user:secret@mail.example.com?tls=off":               "",
		"smtp://user:secret@mail.example.com?tls=none":              "", // readable on the network
		"smtp://user:secret@192.0.2.1?tls=none":                     "",
		"smtp://user:secret@mail.example.com?tls=required&x=1":      "",
		"smtp://user:secret@mail.example.com?tls=none&tls=implicit": "",
		"smtp://user@mail.example.com":                              "",
		"smtp://:secret@mail.example.com":                           "",
		"smtp://user:secret@mail.example.com/path":                  "",
		"smtp://user:secret@mail.example.com#frag":                  "",
		"smtp://user:%zz-secret@mail.example.com":                   "",
		"": "",
	} {
		m, err := mailer.New(mailer.Config{URL: url})
		if want == "" {
			if err == nil {
				t.Errorf("%s was taken", url)
			} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "cret@") {
				t.Errorf("%s: the error tells the password: %v", url, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", url, err)
		} else if m.RelayHost() != want {
			t.Errorf("%s sends to %s, want %s", url, m.RelayHost(), want)
		}
	}
}
