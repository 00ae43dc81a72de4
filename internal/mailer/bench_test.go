package mailer_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/textproto"
	"sync/atomic"
	"testing"

	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
	"github.com/postrider/postrider/internal/smtptest"
)

// BenchmarkSend compares, in one run against one server: a session kept open, a
// dial per mail, and the least a client can do, a loop that writes prepared
// bytes on open connections and checks the reply codes.
func BenchmarkSend(b *testing.B) {
	srv, err := smtptest.Start(smtptest.Script{Forget: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Close)
	b.Run("kept", func(b *testing.B) { benchmarkMailer(b, start(b, srv, nil)) })
	b.Run("dial", func(b *testing.B) {
		benchmarkMailer(b, start(b, srv, func(c *mailer.Config) { c.SessionMails = 1 }))
	})
	b.Run("bare", func(b *testing.B) { benchmarkBare(b, srv.Addr()) })
}

func benchmarkMailer(b *testing.B, m *mailer.Mailer) {
	w := work("a@example.com")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Send(b.Context(), w, marked); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchmarkBare(b *testing.B, addr string) {
	mail, err := render.New(work("a@example.com").Message)
	if err != nil {
		b.Fatal(err)
	}
	var content bytes.Buffer
	if _, err := mail.WriteTo(&content); err != nil {
		b.Fatal(err)
	}
	content.WriteString(".\r\n")
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		r := textproto.NewReader(bufio.NewReader(c))
		step := func(line []byte, codes ...int) {
			if _, err := c.Write(line); err != nil {
				b.Error(err)
			}
			for _, code := range codes {
				if _, _, err := r.ReadResponse(code); err != nil {
					b.Error(err)
				}
			}
		}
		step([]byte("EHLO bench\r\n"), 220, 250)
		for pb.Next() && !b.Failed() {
			step([]byte("MAIL FROM:<from@example.com>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n"), 250, 250, 354)
			step(content.Bytes(), 250)
		}
	})
}

// BenchmarkLarge sends 25 MB.
func BenchmarkLarge(b *testing.B) {
	srv, err := smtptest.Start(smtptest.Script{Forget: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Close)
	m := start(b, srv, nil)
	w := work("a@example.com")
	w.Message.Attachments = []message.Attachment{{Filename: "large.bin", Data: make([]byte, 25<<20)}}
	b.SetBytes(25 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Send(b.Context(), w, marked); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMany sends from many goroutines at once, as a consumer does.
func BenchmarkMany(b *testing.B) {
	for _, senders := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			srv, err := smtptest.Start(smtptest.Script{Forget: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(srv.Close)
			m := start(b, srv, nil)
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan struct{})
			for range senders {
				go func() {
					w := work("a@example.com")
					for left.Add(-1) >= 0 {
						if _, err := m.Send(b.Context(), w, marked); err != nil {
							b.Error(err)
							break
						}
					}
					done <- struct{}{}
				}()
			}
			for range senders {
				<-done
			}
		})
	}
}
