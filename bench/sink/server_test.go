package sink_test

import (
	"bufio"
	"fmt"
	"net"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/bench/sink"
)

func listen(t *testing.T) *sink.Server {
	t.Helper()
	s, err := sink.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func send(t *testing.T, c *smtp.Client, to string) {
	t.Helper()
	if err := c.Mail("shop@sender.example"); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt(to); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	// A line that is longer than the server's buffer, and one that begins with a dot.
	if _, err := fmt.Fprintf(w, "Subject: x\r\n\r\n%s\r\n.\r\n", strings.Repeat("long", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMailsAreKnownByTheirNumbers(t *testing.T) {
	s := listen(t)
	c, err := smtp.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for _, to := range []string{"0@example.com", "7@example.com", "7@example.com", "ann@example.com"} {
		send(t, c, to)
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	sum := s.Arrivals.Summary()
	if sum.Count != 2 || sum.Duplicates != 1 || sum.Strangers != 1 || sum.Last.Before(begun) {
		t.Errorf("%+v", sum)
	}
	times := s.Arrivals.Times(6, 3)
	if times[0] != 0 || times[1] < begun.UnixNano() || times[2] != 0 {
		t.Errorf("times of 6, 7 and 8: %v", times)
	}
	s.Arrivals.Reset()
	if sum := s.Arrivals.Summary(); sum != (sink.Summary{}) {
		t.Errorf("after a reset: %+v", sum)
	}
}

func TestAPipelinedGroupIsAnsweredInOrder(t *testing.T) {
	s := listen(t)
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprint(c, "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<3@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for replies := bufio.NewScanner(c); replies.Scan(); {
		if line := replies.Text(); line[3] == ' ' { // the last of a reply
			codes = append(codes, line[:3])
		}
	}
	if got := strings.Join(codes, " "); got != "220 250 250 250 354 250 221" || s.Arrivals.Summary().Count != 1 {
		t.Errorf("%s; %+v", got, s.Arrivals.Summary())
	}
}
