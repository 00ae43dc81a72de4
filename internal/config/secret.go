package config

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

const (
	fileSuffix  = "_FILE"
	hidden      = "xxxxx"
	maxFileSize = 64 << 10
)

// Secret is a text that prints as xxxxx. Only Reveal gives it away.
type Secret struct{ text string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text, for the one who needs it to log in.
func (s Secret) Reveal() string { return s.text }

// String is xxxxx, or empty when there is nothing to hide.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return s.String() }

// readFile takes a secret from the file that NAME_FILE names, without the line
// end that editors put there.
func (s setting) readFile(path string, found *faults) {
	name := s.key + fileSuffix
	text, err := readSmall(path)
	if err != nil {
		found.add(name, "cannot be read: "+err.Error(), "name a file of at most 64 KiB that this user may read")
		return
	}
	decoder, ok := s.value.Addr().Interface().(envconfig.Decoder)
	if !ok {
		panic(fmt.Sprintf("config: %s is secret and has no Decode", s.key)) // a fault of the declaration
	}
	if err := decoder.Decode(strings.TrimRight(text, "\r\n")); err != nil {
		found.add(s.key, s.problem(err)+" (read from "+name+")", s.remedy(err))
	}
}

func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxFileSize:
		return "", fmt.Errorf("%s is larger than 64 KiB", path)
	case strings.TrimSpace(string(text)) == "":
		return "", fmt.Errorf("%s is empty", path)
	}
	return string(text), nil
}

// parseLogin reads a URL that may hold a password. What url.Parse says quotes
// its input, so it is dropped. A password with an unescaped / ? or # can make
// the rest of it a path or a query, which would be printed: such URLs have
// their @ too late and are refused.
func parseLogin(text, remedy string) (*url.URL, error) {
	const escape = "; signs such as @ : / ? # , % in a password are written as %40 %3A %2F %3F %23 %2C %25"
	u, err := url.Parse(text)
	if err != nil {
		return nil, bad("is not a URL", remedy+escape)
	}
	if u.Opaque != "" || u.Fragment != "" || strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return nil, bad("is not a URL of the form scheme://user:password@host", remedy+escape)
	}
	return u, nil
}

// redact is the URL with its password hidden, also where it is a parameter.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return hidden
	}
	if u.RawQuery != "" {
		u.RawQuery = redactQuery(u.RawQuery)
	}
	return u.Redacted()
}

func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		if secretParameter(name) {
			pairs[i] = name + "=" + hidden
		}
	}
	return strings.Join(pairs, "&")
}

func secretParameter(name string) bool {
	plain, err := url.QueryUnescape(name)
	plain = strings.ToLower(plain)
	return err != nil || strings.Contains(plain, "password") || strings.Contains(plain, "secret") || strings.Contains(plain, "token")
}
