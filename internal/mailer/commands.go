package mailer

import (
	"errors"
	"fmt"
)

// command is one line of a transaction and the class of reply it needs.
type command struct {
	at   stage
	line string
	want int
}

func (s *session) commands(e envelope) []command {
	var list []command
	if s.dirty {
		list = append(list, command{stageRset, "RSET\r\n", 2})
	}
	from := "MAIL FROM:<" + e.from + ">"
	if s.sized {
		from += fmt.Sprintf(" SIZE=%d", e.mail.Size())
	}
	if e.utf8 {
		from += " SMTPUTF8"
	}
	return append(list,
		command{stageMail, from + "\r\n", 2},
		command{stageRcpt, "RCPT TO:<" + e.to + ">\r\n", 2},
		command{stageData, "DATA\r\n", 3})
}

var errOutOfStep = errors.New("the relay host has spoken out of turn")

// begin takes the transaction to the 354. Where the host offers PIPELINING (RFC
// 2920) that is one round trip instead of three. It returns the stage it came
// to, and the reply that refused it, if one did.
func (s *session) begin(e envelope) (at stage, refusal reply, err error) {
	list := s.commands(e)
	if s.spoken() {
		return list[0].at, reply{}, errOutOfStep
	}
	sent := 0
	for i, c := range list {
		for ; sent < len(list) && (sent == i || s.pipelining); sent++ {
			if err := s.write(list[sent].line); err != nil {
				return c.at, reply{}, err
			}
		}
		if err := s.text.W.Flush(); err != nil {
			return c.at, reply{}, err
		}
		r, err := readReply(s.reader())
		if err != nil {
			return c.at, reply{}, err
		}
		if r.class() != c.want || r.cut {
			r.cut = r.cut || !s.drain(list[i+1:sent]) || r.class() < 4 || r.class() > 5
			return c.at, r, nil
		}
	}
	s.dirty = false
	return stageData, reply{}, nil
}

// spoken reports whether the host has said something unasked, or has gone. Every
// later answer would be taken for that of the command before; and hosts that wait too
// long for a client say so with a 4xx or a 5xx, which would be taken for one to the
// next mail. A session that is new may have more of its TLS handshake to read.
func (s *session) spoken() bool {
	return s.reader().Buffered() > 0 || s.kept && s.conn.readable()
}

// drain reads the replies to commands that were sent ahead of a refusal. False:
// the host now waits for content, which is the same as a lost session.
func (s *session) drain(ahead []command) bool {
	for _, c := range ahead {
		r, err := readReply(s.reader())
		if err != nil || r.cut || r.code == 421 || c.at == stageData && r.class() == 3 {
			return false
		}
	}
	return true
}
