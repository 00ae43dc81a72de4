package mailcatch

import (
	"mime"
	"strings"
	"time"
)

// Limits on what the MailHog form of a mail spells out.
const (
	maxHogParts = 1000
	maxHogDepth = 20
)

// The JSON of MailHog 1.0.1. Names and order are its own, and so are the odd
// corners that tests have come to count on: parts are what lies between the
// boundary lines, preamble and the closing "--" included, nothing is decoded,
// and the last line break of the mail is not there. One thing is better: a
// header that occurs several times has all its values, not the last only.
type hogMessage struct {
	ID      string
	From    hogPath
	To      []hogPath
	Content hogContent
	Created time.Time
	MIME    *hogMIME
	Raw     hogRaw
}

type hogPath struct {
	Relays  []string
	Mailbox string
	Domain  string
	Params  string
}

type hogContent struct {
	Headers map[string][]string
	Body    string
	Size    int
	MIME    *hogMIME
}

type hogMIME struct{ Parts []hogContent }

type hogRaw struct {
	From string
	To   []string
	Data string
	Helo string
}

func newHogMessage(m *mail) hogMessage {
	data := strings.TrimSuffix(m.raw, "\r\n")
	parts := maxHogParts
	content := newHogContent(data, maxHogDepth, &parts)
	out := hogMessage{
		ID:      m.id,
		From:    newHogPath(m.from),
		Created: m.at,
		MIME:    content.MIME,
		Raw:     hogRaw{From: m.from, To: m.to, Data: data, Helo: m.helo},
	}
	for _, to := range m.to {
		out.To = append(out.To, newHogPath(to))
	}
	content.MIME = nil // MailHog has the outermost parts on the message only
	addTrace(content.Headers, m)
	out.Content = content
	return out
}

// addTrace adds the headers a server would have added; the stored mail keeps
// its own bytes.
func addTrace(headers map[string][]string, m *mail) {
	received := "from " + m.helo + " by inbox.localhost (Postrider)\r\n          id " + m.id + "; " + m.at.Format(time.RFC1123Z)
	added := []field{{"Received", received}, {"Return-Path", "<" + m.from + ">"}}
	if _, found := findFold(headers, "Message-ID"); !found {
		added = append(added, field{"Message-ID", m.id})
	}
	for _, f := range added {
		name, _ := findFold(headers, f.Name)
		headers[name] = append(headers[name], f.Value)
	}
}

// findFold gives the spelling under which name is present, or name itself.
func findFold(headers map[string][]string, name string) (string, bool) {
	for have := range headers {
		if strings.EqualFold(have, name) {
			return have, true
		}
	}
	return name, false
}

func newHogContent(data string, depth int, parts *int) hogContent {
	head, body := split(data)
	c := hogContent{Headers: make(map[string][]string), Body: body, Size: len(data)}
	for _, f := range parseFields(head) {
		c.Headers[f.Name] = append(c.Headers[f.Name], f.Value)
	}
	c.MIME = newHogMIME(c, depth, parts)
	return c
}

// newHogMIME is nil for what is not multipart, and below the deepest level or
// past the last part that is spelled out.
func newHogMIME(c hogContent, depth int, parts *int) *hogMIME {
	types := c.Headers["Content-Type"]
	if len(types) == 0 || !strings.HasPrefix(types[0], "multipart/") || depth == 0 {
		return nil
	}
	out := &hogMIME{}
	_, params, err := mime.ParseMediaType(types[0])
	if err != nil || params["boundary"] == "" {
		return out
	}
	rest, found := c.Body, true
	for piece := ""; found && *parts > 0; {
		piece, rest, found = strings.Cut(rest, "--"+params["boundary"])
		if piece == "" {
			continue
		}
		*parts--
		out.Parts = append(out.Parts, newHogContent(strings.Trim(piece, "\r\n"), depth-1, parts))
	}
	return out
}

// newHogPath takes an address apart at its first @. A source route before a
// colon goes to Relays.
func newHogPath(address string) hogPath {
	var p hogPath
	if route, rest, found := strings.Cut(address, ":"); found {
		p.Relays, address = strings.Split(route, ","), rest
	}
	p.Mailbox, p.Domain, _ = strings.Cut(address, "@")
	return p
}
