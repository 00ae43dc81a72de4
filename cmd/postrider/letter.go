package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/client"
	"github.com/postrider/postrider/internal/message"
)

// letter is the flags that compose a message. Only what cannot be written as
// JSON is refused here; the server checks the rest and names every fault.
type letter struct {
	From      string   `placeholder:"ADDRESS" help:"The sender, as a@b.c or 'Name <a@b.c>'."`
	To        []string `sep:"none" placeholder:"ADDRESS" help:"A recipient. Repeat it for more, as for all flags below that take one thing each."`
	Cc        []string `sep:"none" placeholder:"ADDRESS" help:"A recipient of a copy."`
	Bcc       []string `sep:"none" placeholder:"ADDRESS" help:"A recipient that the others do not see."`
	ReplyTo   []string `sep:"none" placeholder:"ADDRESS" help:"Where answers go."`
	Subject   string   `blank:"" placeholder:"TEXT" help:"The subject."`
	Text      string   `blank:"" placeholder:"TEXT" help:"The plain text: itself, @FILE, or - for standard input. @@ at the beginning stands for @."`
	HTML      string   `blank:"" placeholder:"HTML" help:"The HTML, given like the text."`
	Attach    []string `sep:"none" placeholder:"FILE" help:"A file to attach."`
	Inline    []string `sep:"none" placeholder:"CID=FILE" help:"A picture for the HTML, which shows it by <img src=\"cid:CID\">."`
	Header    []string `sep:"none" placeholder:"NAME:VALUE" help:"A header field of your own."`
	Tag       []string `sep:"none" placeholder:"NAME=VALUE" help:"A label that lists show; it is not sent."`
	Metadata  []string `sep:"none" placeholder:"KEY=VALUE" help:"Something to remember with the message; it is not sent."`
	Schedule  string   `placeholder:"TIME" help:"Not before this time: 2030-01-31T08:00:00+01:00, or from now, such as 30m or 7d."`
	Expires   string   `placeholder:"TIME" help:"Not after this time, given like --schedule."`
	Lane      string   `placeholder:"LANE" help:"Urgency: critical, high, normal or low. Default: normal."`
	OnUnknown string   `placeholder:"CHOICE" help:"When nobody can know whether the mail was taken: resend (the default) may send it twice, hold waits for you."`
}

// composed reports whether any of the flags was given.
func (l *letter) composed() bool { return !reflect.ValueOf(*l).IsZero() }

func (l *letter) draft(t *terminal) (*client.Draft, error) {
	d := &client.Draft{
		From: l.From, To: l.To, Cc: l.Cc, Bcc: l.Bcc, ReplyTo: l.ReplyTo, Subject: l.Subject,
		ScheduledAt: fromNow(l.Schedule), ExpiresAt: fromNow(l.Expires), Lane: l.Lane, OnUnknown: l.OnUnknown,
	}
	for _, fill := range []func(*terminal, *client.Draft) error{l.bodies, l.headers, l.labels, l.files} {
		if err := fill(t, d); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (l *letter) bodies(t *terminal, d *client.Draft) error {
	var err error
	if d.Text, err = content(t, l.Text); err != nil {
		return err
	}
	d.HTML, err = content(t, l.HTML)
	return err
}

// content is the value of --text or --html.
func content(t *terminal, value string) (string, error) {
	source, named := strings.CutPrefix(value, "@")
	switch {
	case value == "-":
		source = "-"
	case !named:
		return value, nil
	case strings.HasPrefix(source, "@"):
		return source, nil
	}
	return readText(t, source, maxFile)
}

func (l *letter) headers(_ *terminal, d *client.Draft) error {
	for _, h := range l.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return usage("--header %q: write it as Name: value", h)
		}
		d.Headers = append(d.Headers, message.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return nil
}

func (l *letter) labels(_ *terminal, d *client.Draft) error {
	for _, tag := range l.Tag {
		name, value, ok := strings.Cut(tag, "=")
		if !ok {
			return usage("--tag %q: write it as name=value", tag)
		}
		d.Tags = append(d.Tags, message.Tag{Name: name, Value: value})
	}
	for _, pair := range l.Metadata {
		key, value, ok := strings.Cut(pair, "=")
		if _, twice := d.Metadata[key]; !ok || twice {
			return usage("--metadata %q: write it as key=value, each key once", pair)
		}
		if d.Metadata == nil {
			d.Metadata = map[string]string{}
		}
		d.Metadata[key] = value
	}
	return nil
}

func (l *letter) files(t *terminal, d *client.Draft) error {
	for _, path := range l.Attach {
		if err := attach(t, d, path, ""); err != nil {
			return err
		}
	}
	for _, inline := range l.Inline {
		cid, path, ok := strings.Cut(inline, "=")
		if !ok || cid == "" {
			return usage("--inline %q: write it as CID=FILE", inline)
		}
		if err := attach(t, d, path, cid); err != nil {
			return err
		}
	}
	return nil
}

func attach(t *terminal, d *client.Draft, path, cid string) error {
	if path == "-" {
		return usage("an attachment needs a file: standard input has no name")
	}
	left := message.DefaultLimits().MessageBytes
	for _, a := range d.Attachments {
		left -= len(a.Content)
	}
	data, err := readInput(t, path, left)
	if err != nil {
		return err
	}
	d.Attachments = append(d.Attachments, client.DraftAttachment{Filename: filepath.Base(path), ContentID: cid, Content: data})
	return nil
}

// maxFile is above what the server takes, so that the server says so.
const maxFile = 64 << 20

// readInput reads a file, or standard input for -, of at most limit bytes.
func readInput(t *terminal, path string, limit int) ([]byte, error) {
	source := t.in
	switch {
	case path == "-" && t.emptied: // the second would find nothing, and that would be sent
		return nil, usage("standard input can be read for one thing only: give files for the others")
	case path == "-":
		t.emptied = true
	default:
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("%v", err)
		}
		defer f.Close()
		source = f
	}
	data, err := io.ReadAll(io.LimitReader(source, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > limit {
		return nil, usage("%s is larger than the %d bytes that are left of a message", path, limit)
	}
	return data, nil
}

// readText is readInput for what JSON can hold.
func readText(t *terminal, path string, limit int) (string, error) {
	text, err := readInput(t, path, limit)
	if err == nil && !utf8.Valid(text) {
		return "", usage("what %s holds is not text in UTF-8: convert it first, such as with iconv", path)
	}
	return string(text), err
}

// fromNow turns a span into a time; anything else is for the server to read.
func fromNow(text string) string {
	d, err := span(text)
	if err != nil {
		return text
	}
	return time.Now().Add(d).Format(time.RFC3339)
}

// span reads a duration, or a number of days: keys and searches are seldom told in
// hours.
func span(text string) (time.Duration, error) {
	digits, days := strings.CutSuffix(text, "d")
	if !days {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(digits, 10, 16) // more would not fit into a duration
	return time.Duration(n) * 24 * time.Hour, err
}
