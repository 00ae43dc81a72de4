package blobs3_test

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/blobs3"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a-secret-key-that-must-not-show"

// serve starts an S3 server with one bucket. Between stands before it; nil: nothing does.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, between func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("mail"); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(backend).Server()
	if between != nil {
		handler = between(handler)
	}
	srv := start(handler)
	t.Cleanup(srv.Close)
	return srv
}

func open(t *testing.T, srv *httptest.Server, change func(*blobs3.Config)) *blobs3.Bucket {
	t.Helper()
	_, host, _ := strings.Cut(srv.URL, "://")
	c := blobs3.Config{
		Endpoint: host, Bucket: "mail", Prefix: "postrider/blobs", AccessKey: "key", SecretKey: secret,
		Plain: strings.HasPrefix(srv.URL, "http://"),
	}
	if cert := srv.Certificate(); cert != nil {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AddCert(cert)
	}
	if change != nil {
		change(&c)
	}
	b, err := blobs3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestBlobPlace(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{"tls": httptest.NewTLSServer, "plain": httptest.NewServer} {
		t.Run(name, func(t *testing.T) {
			conformance.BlobPlace(t, "s3", func(t *testing.T) func() blobs.Place {
				srv := serve(t, start, nil)
				return func() blobs.Place { return open(t, srv, nil) }
			})
		})
	}
}

func blob(size int64) message.Blob {
	return message.Blob{ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Size: size}
}

// TestOnePutIsOneRequest: an upload in parts would leave parts behind that nobody finds.
func TestOnePutIsOneRequest(t *testing.T) {
	var requests atomic.Int64
	srv := serve(t, httptest.NewServer, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			next.ServeHTTP(w, r)
		})
	})
	const size = 40 << 20
	if err := open(t, srv, nil).Put(t.Context(), blob(size), bytes.NewReader(make([]byte, size))); err != nil {
		t.Fatal(err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests for one blob", n)
	}
}

func TestErrorsNameNoKey(t *testing.T) {
	srv := serve(t, httptest.NewServer, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusForbidden)
		})
	})
	b := open(t, srv, nil)
	_, err := b.Open(t.Context(), blob(1))
	for _, err := range []error{err, b.Put(t.Context(), blob(1), strings.NewReader("x")), b.Delete(t.Context(), blob(1))} {
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
	}
}

func TestACertificateOfSomebodyElseIsRefused(t *testing.T) {
	srv := serve(t, httptest.NewTLSServer, nil)
	b := open(t, srv, func(c *blobs3.Config) { c.RootCAs = x509.NewCertPool() })
	if err := b.Put(t.Context(), blob(1), strings.NewReader("x")); err == nil {
		t.Error("the server could be anybody")
	}
}
