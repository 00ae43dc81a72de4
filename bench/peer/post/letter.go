// Package post is what the peers' workers have in common: the mail as it lies in a
// queue, and its sending by go-mail, the library that Postrider uses too.
package post

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wneessen/go-mail"

	"github.com/postrider/postrider/bench/job"
)

// Letter is a whole mail, as peers keep it.
type Letter struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Of is the mail of a job.
func Of(m job.Mail) Letter {
	return Letter{From: job.From, To: m.To(), Subject: m.Subject(), Text: m.Text()}
}

// Encode is the letter as JSON.
func (l Letter) Encode() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // four strings marshal
	}
	return b
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Letter, error) {
	var l Letter
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read a letter: %w", err)
	}
	return l, nil
}

func (l Letter) message() (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := errors.Join(m.From(l.From), m.To(l.To)); err != nil {
		return nil, fmt.Errorf("address a letter: %w", err)
	}
	m.Subject(l.Subject)
	m.SetBodyString(mail.TypeTextPlain, l.Text)
	return m, nil
}
