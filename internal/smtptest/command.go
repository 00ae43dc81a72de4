package smtptest

import (
	"slices"
	"strings"
	"time"
)

func (s *session) command(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		s.finish()
		return s.answer(Ehlo, line, s.greeting())
	case "HELO":
		s.finish()
		return s.answer(Ehlo, line, "250 smtptest")
	case "STARTTLS":
		return s.startTLS(line)
	case "AUTH":
		return s.auth(line, arg)
	case "MAIL":
		return s.mail(line, arg)
	case "RCPT":
		return s.rcpt(line, arg)
	case "DATA":
		return s.data(line)
	case "RSET":
		s.finish()
		return s.answer(Rset, line, "250 2.0.0 flushed")
	case "NOOP":
		return s.answer(Noop, line, "250 2.0.0 ok")
	case "QUIT":
		if err := s.answer(Quit, line, "221 2.0.0 bye"); err != nil {
			return err
		}
		return errEnd
	}
	return s.answer(Other, line, "500 5.5.1 what?")
}

func (s *session) greeting() string {
	ext := s.srv.script.Extensions
	if ext == nil {
		ext = []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"}
	}
	ext = slices.Clone(ext)
	if s.srv.script.TLS == OfferTLS && !s.tls {
		ext = append(ext, "STARTTLS")
	}
	if len(s.srv.script.Users) > 0 {
		ext = append(ext, "AUTH "+strings.Join(s.srv.mechanisms(), " "))
	}
	lines := append([]string{"smtptest"}, ext...)
	for i := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		lines[i] = "250" + sep + lines[i]
	}
	return strings.Join(lines, "\n")
}

func (s *session) startTLS(line string) error {
	if s.srv.script.TLS != OfferTLS || s.tls {
		return s.answer(StartTLS, line, "502 5.5.1 no TLS here")
	}
	reply, err := s.step(StartTLS, line, "220 2.0.0 go ahead")
	if err != nil || !strings.HasPrefix(reply, "220") {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.handshake()
}

func (s *session) mail(line, arg string) error {
	reply := "250 2.1.0 ok"
	switch {
	case s.tx != nil:
		reply = "503 5.5.1 nested MAIL command"
	case len(s.srv.script.Users) > 0 && s.user == "":
		reply = "530 5.7.0 authentication required"
	}
	reply, err := s.step(Mail, line, reply)
	if strings.HasPrefix(reply, "2") {
		s.count++
		s.setBusy(true)
		from, params := path(arg)
		s.tx = &Transaction{Session: s.n, N: s.count, From: from, Params: params, TLS: s.tls, User: s.user}
	}
	return err
}

func (s *session) rcpt(line, arg string) error {
	reply := "250 2.1.5 ok"
	if s.tx == nil {
		reply = "503 5.5.1 MAIL first"
	}
	reply, err := s.step(Rcpt, line, reply)
	if strings.HasPrefix(reply, "2") && s.tx != nil {
		to, _ := path(arg)
		s.tx.Rcpts = append(s.tx.Rcpts, to)
	}
	return err
}

func (s *session) data(line string) error {
	reply := "354 go ahead"
	if s.tx == nil || len(s.tx.Rcpts) == 0 {
		reply = "503 5.5.1 RCPT first"
	}
	reply, err := s.step(Data, line, reply)
	if err != nil || !strings.HasPrefix(reply, "354") || s.tx == nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.content()
}

// finish records the open transaction, whatever became of it.
func (s *session) finish() {
	if s.tx == nil {
		return
	}
	tx := *s.tx
	tx.At = time.Now()
	s.tx = nil
	s.srv.note(func(st *Stats) {
		s.srv.done = append(s.srv.done, tx)
		if tx.Accepted() {
			st.Accepted++
		}
	})
}

// path splits FROM:<a@b> SIZE=1 into the address and the rest.
func path(arg string) (address, params string) {
	_, rest, _ := strings.Cut(arg, ":")
	address, params, _ = strings.Cut(strings.TrimSpace(rest), ">")
	return strings.TrimPrefix(address, "<"), strings.TrimSpace(params)
}
