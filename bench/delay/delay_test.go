package delay_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/postrider/postrider/bench/delay"
)

const roundTrip = 40 * time.Millisecond

// far is a connection through a proxy to a server that does as told.
func far(t *testing.T, serve func(net.Conn)) (net.Conn, *delay.Proxy) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	p, err := delay.Listen(server.Addr().String(), roundTrip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c, p
}

func echo(c net.Conn) {
	defer c.Close()
	_, _ = io.Copy(c, c)
}

func TestAnAnswerTakesARoundTrip(t *testing.T) {
	c, _ := far(t, echo)
	lines := bufio.NewReader(c)
	for n := range 3 {
		begun := time.Now()
		if _, err := fmt.Fprintln(c, n); err != nil {
			t.Fatal(err)
		}
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintln(n) {
			t.Fatalf("%q, %v", line, err)
		}
		if took := time.Since(begun); took < roundTrip {
			t.Errorf("answer %d took %v, a round trip is %v", n, took, roundTrip)
		}
	}
}

// What is sent without waiting comes in order, and not one round trip after the other.
func TestPipeliningIsKept(t *testing.T) {
	c, _ := far(t, echo)
	const count = 200
	begun := time.Now()
	go func() {
		for n := range count {
			_, _ = fmt.Fprintln(c, n)
		}
	}()
	lines := bufio.NewReader(c)
	for n := range count {
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintln(n) {
			t.Fatalf("answer %d is %q, %v", n, line, err)
		}
	}
	if took := time.Since(begun); took < roundTrip || took > count*roundTrip/2 {
		t.Errorf("%d answers took %v, a round trip is %v", count, took, roundTrip)
	}
}

func TestTheEndComesAfterTheData(t *testing.T) {
	begun := time.Now()
	c, _ := far(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "goodbye")
		_ = c.Close()
	})
	text, err := io.ReadAll(c)
	if err != nil || string(text) != "goodbye" {
		t.Errorf("%q, %v", text, err)
	}
	if took := time.Since(begun); took < roundTrip/2 {
		t.Errorf("the end came after %v", took)
	}
}

// One direction may end while the other goes on, as with a client that has said all.
func TestHalfOfAConnectionMayEnd(t *testing.T) {
	c, _ := far(t, func(c net.Conn) {
		text, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%d bytes", len(text))
		_ = c.Close()
	})
	if _, err := c.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || string(text) != "100000 bytes" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestCloseEndsWhatIsOpen(t *testing.T) {
	c, p := far(t, echo)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
}

func TestNobodyBehindIt(t *testing.T) {
	p, err := delay.Listen("127.0.0.1:1", roundTrip)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
}
