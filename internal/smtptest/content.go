package smtptest

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"slices"
	"unicode/utf8"
)

// content reads a mail up to its final dot.
func (s *session) content() error {
	s.startCounting()
	defer func() { s.counting = false }()
	rule := s.srv.rule(s.event(Body, ""))
	if rule != nil && rule.After == 0 {
		if _, err := s.act(rule, s.event(Body, ""), ""); err != nil {
			return err
		}
		rule = nil
	}
	if err := s.readContent(rule); err != nil {
		return err
	}
	s.tx.Dot = true
	err := s.answer(Dot, "", "250 2.0.0 Ok: queued as TEST"+itoa(s.n)+"-"+itoa(s.count))
	s.finish() // unless an answer has
	return err
}

// startCounting makes every byte that arrives from now on count as content, in
// Stats.Content, as soon as it is here: a single dot without its line end too.
func (s *session) startCounting() {
	here := int64(s.r.Buffered())
	s.counting = true
	s.srv.note(func(st *Stats) { st.Content = here })
}

// arrived is called for everything read from the connection.
func (s *session) arrived(n int) {
	if s.counting {
		s.srv.note(func(st *Stats) { st.Content += int64(n) })
	}
}

// counter tells its session of all that is read.
type counter struct {
	net.Conn
	s *session
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.s.arrived(n)
	return n, err
}

func (s *session) readContent(rule *Rule) error {
	reader := contentReader{tx: s.tx, keep: !s.srv.script.Forget, lineStart: true}
	for {
		piece, err := s.r.ReadSlice('\n')
		if len(piece) > 0 && reader.take(piece) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if rule != nil && s.tx.Size >= rule.After {
			if _, err := s.act(rule, s.event(Body, ""), ""); err != nil {
				return err
			}
			rule = nil
		}
	}
}

// contentReader undoes dot-stuffing and looks for what should not be there.
type contentReader struct {
	tx        *Transaction
	keep      bool
	lineStart bool // the next piece begins a line, and CRLF came before it
	lastCR    bool
	line      int
}

// take adds a piece that ends with LF or is the start of a longer line; it
// reports whether it was the final dot.
func (c *contentReader) take(piece []byte) (end bool) {
	if c.lineStart && bytes.Equal(piece, []byte(".\r\n")) {
		return true
	}
	if c.lineStart && piece[0] == '.' {
		piece = piece[1:]
	}
	c.inspect(piece)
	c.tx.Size += len(piece)
	if c.keep {
		c.tx.Data = append(c.tx.Data, piece...)
	}
	return false
}

// inspect sees a piece of at most one line. Tests run it over many megabytes
// with the race detector, which makes a loop over bytes dear.
func (c *contentReader) inspect(piece []byte) {
	if len(piece) == 0 {
		return
	}
	c.tx.BareCR = c.tx.BareCR || c.lastCR && piece[0] != '\n'
	last := len(piece) - 1
	before := c.lastCR
	if last > 0 {
		before = piece[last-1] == '\r'
	}
	c.lineStart = piece[last] == '\n' && before
	c.tx.BareLF = c.tx.BareLF || piece[last] == '\n' && !before
	c.lastCR = piece[last] == '\r'
	if cr := bytes.IndexByte(piece, '\r'); cr >= 0 && cr < last-1 || cr == last-1 && piece[last] != '\n' {
		c.tx.BareCR = true
	}
	c.tx.EightBit = c.tx.EightBit || slices.Max(piece) >= utf8.RuneSelf
	if c.line += len(piece); c.lineStart {
		c.tx.LongestLine = max(c.tx.LongestLine, c.line-2)
		c.line = 0
	}
}
