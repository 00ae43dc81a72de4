package mailer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/mailer"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
	"github.com/postrider/postrider/internal/smtptest"
)

// kept returns a mail whose file is kept apart, and the same mail with the bytes in it.
func kept(t testing.TB, size int) (apart, whole *message.Work) {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data) // never fails
	a := message.Attachment{Filename: "large.bin", Size: int64(size), SHA256: sha256.Sum256(data), Data: data}
	whole, apart = work("a@example.com"), work("a@example.com")
	whole.Message.Attachments = []message.Attachment{a}
	a.Data, a.Blob = nil, message.Blob{ID: uuid.New(), TenantID: 1, Place: "test", Size: int64(size)}
	apart.Message.ID, apart.Message.Attachments = whole.Message.ID, []message.Attachment{a}
	return apart, whole
}

// reading opens every blob as what it is given.
func reading(r io.Reader) render.Opener {
	return func(context.Context, message.Blob) (io.ReadCloser, error) { return io.NopCloser(r), nil }
}

func relay(t testing.TB, rules ...smtptest.Rule) *smtptest.Server {
	t.Helper()
	srv, err := smtptest.Start(smtptest.Script{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func TestAFileThatIsKeptApartTravelsAsOneThatIsNot(t *testing.T) {
	srv := relay(t)
	apart, whole := kept(t, 1<<20+1)
	m := start(t, srv, func(c *mailer.Config) {
		c.OpenBlob = func(_ context.Context, b message.Blob) (io.ReadCloser, error) {
			if b != apart.Message.Attachments[0].Blob {
				t.Errorf("another blob was opened: %v", b)
			}
			return io.NopCloser(iotest.HalfReader(bytes.NewReader(whole.Message.Attachments[0].Data))), nil
		}
	})
	for _, w := range []*message.Work{apart, whole} {
		if _, err := m.Send(t.Context(), w, marked); err != nil {
			t.Fatal(err)
		}
	}
	mails := srv.Mails()
	if len(mails) != 2 || !bytes.Equal(mails[0].Data, mails[1].Data) {
		t.Errorf("%d mails, or two that differ", len(mails))
	}
}

// A mail of which a file fails must end before its dot, and leave nothing behind that a
// later mail could be mixed up with.
func TestAFileThatCannotBeReadEndsTheMailBeforeItsDot(t *testing.T) {
	broken := errors.New("the disk is broken")
	for name, c := range map[string]struct {
		open  func(data []byte) render.Opener
		fault message.Fault
		told  string
	}{
		"not there": {func([]byte) render.Opener {
			return func(context.Context, message.Blob) (io.ReadCloser, error) { return nil, broken }
		}, message.FaultTemporary, "the disk is broken"},
		"breaks off": {func(data []byte) render.Opener {
			return reading(io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken)))
		}, message.FaultTemporary, "the disk is broken"},
		"too short": {func(data []byte) render.Opener { return reading(bytes.NewReader(data[:len(data)-1])) }, message.FaultTemporary, "unexpected EOF"},
		"changed in its last byte": {func(data []byte) render.Opener {
			other := bytes.Clone(data)
			other[len(other)-1] ^= 1
			return reading(bytes.NewReader(other))
		}, message.FaultPermanent, "not those that were accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := relay(t)
			apart, whole := kept(t, 1<<20)
			m := start(t, srv, func(cfg *mailer.Config) { cfg.OpenBlob = c.open(whole.Message.Attachments[0].Data) })
			marks := 0
			_, err := m.Send(t.Context(), apart, func(context.Context) error { marks++; return nil })
			var failed *message.SendError
			if !errors.As(err, &failed) || failed.Fault != c.fault || !strings.Contains(failed.Err.Error(), c.told) || !strings.Contains(failed.Text, "large.bin") {
				t.Fatalf("error %v", err)
			}
			if c.fault == message.FaultPermanent && failed.Reason != message.ReasonRender {
				t.Errorf("reason %q", failed.Reason)
			}
			if _, err := m.Send(t.Context(), work("b@example.com"), marked); err != nil {
				t.Fatal(err)
			}
			if mails := srv.Mails(); marks != 0 || len(mails) != 1 || mails[0].Rcpts[0] != "b@example.com" {
				t.Errorf("%d marks, %d mails", marks, len(mails))
			}
		})
	}
}

func TestTheRelayHostHearsNothingOfAMailWhoseFileIsAway(t *testing.T) {
	srv := relay(t)
	apart, _ := kept(t, 1000)
	m := start(t, srv, func(c *mailer.Config) {
		c.OpenBlob = func(_ context.Context, b message.Blob) (io.ReadCloser, error) {
			return nil, &message.BlobError{Blob: b, Err: errors.New("away")}
		}
	})
	if _, err := m.Send(t.Context(), apart, marked); err == nil {
		t.Fatal("sent")
	}
	if n := srv.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// A kept session that turns out to have ended is dialled anew; the file that was opened
// for the first try is still there for the second.
func TestAFileOpenedForADeadSessionIsSentOverTheNext(t *testing.T) {
	srv := relay(t, smtptest.Rule{At: smtptest.Mail, Skip: 1, Times: 1, End: smtptest.Drop})
	apart, whole := kept(t, 300<<10)
	var opened atomic.Int64
	m := start(t, srv, func(c *mailer.Config) {
		c.OpenBlob = func(context.Context, message.Blob) (io.ReadCloser, error) {
			opened.Add(1)
			return io.NopCloser(bytes.NewReader(whole.Message.Attachments[0].Data)), nil
		}
	})
	for _, w := range []*message.Work{work("b@example.com"), apart} {
		if _, err := m.Send(t.Context(), w, marked); err != nil {
			t.Fatal(err)
		}
	}
	if n, mails := opened.Load(), len(srv.Mails()); n != 1 || mails != 2 {
		t.Errorf("opened %d times, %d mails", n, mails)
	}
}

// BenchmarkLargeApart sends a file that is kept apart: what it allocates does not grow
// with the file.
func BenchmarkLargeApart(b *testing.B) {
	for _, size := range []int{1 << 20, 40 << 20} {
		b.Run(fmt.Sprintf("%dMB", size>>20), func(b *testing.B) {
			srv, err := smtptest.Start(smtptest.Script{Forget: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(srv.Close)
			apart, whole := kept(b, size)
			data := whole.Message.Attachments[0].Data
			m := start(b, srv, func(c *mailer.Config) {
				c.OpenBlob = func(context.Context, message.Blob) (io.ReadCloser, error) {
					return io.NopCloser(bytes.NewReader(data)), nil
				}
			})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Send(b.Context(), apart, marked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
