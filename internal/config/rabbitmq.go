package config

import "strings"

// RabbitMQURLs are the nodes of a broker. Their passwords show only in All.
type RabbitMQURLs struct{ urls []string }

// Decode reads amqp:// and amqps:// URLs separated by commas. Empty is none.
func (r *RabbitMQURLs) Decode(text string) error {
	if strings.TrimSpace(text) == "" {
		*r = RabbitMQURLs{}
		return nil
	}
	var urls []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if err := checkAMQP(one); err != nil {
			return err
		}
		urls = append(urls, one)
	}
	*r = RabbitMQURLs{urls: urls}
	return nil
}

func checkAMQP(text string) error {
	const remedy = "write amqp://user:password@host:5672/ (or amqps), several separated by commas"
	u, err := parseLogin(text, remedy)
	switch {
	case err != nil:
		return err
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return bad("holds a URL that begins with neither amqp:// nor amqps://", remedy)
	case u.Hostname() == "":
		return bad("holds a URL without a host", remedy)
	}
	return nil
}

// Set reports whether a broker was given.
func (r RabbitMQURLs) Set() bool { return len(r.urls) > 0 }

// All returns the URLs with their passwords. Not to be printed.
func (r RabbitMQURLs) All() []string { return append([]string(nil), r.urls...) }

// String is the URLs with their passwords hidden.
func (r RabbitMQURLs) String() string {
	shown := make([]string, len(r.urls))
	for i, u := range r.urls {
		shown[i] = redact(u)
	}
	return strings.Join(shown, ",")
}

// GoString hides the passwords from %#v.
func (r RabbitMQURLs) GoString() string { return r.String() }
