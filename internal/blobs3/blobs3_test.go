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
	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/blobs3"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an S3 server under a name of its own.
type server struct {
	*s3test.Server
	at *httptest.Server // nil: a real one, asked directly
}

// serve starts one. Between stands before it; nil: nothing does.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, between func(http.Handler) http.Handler) *server {
	t.Helper()
	s := &server{Server: s3test.Open(t)}
	handler := s.Handler
	if between != nil {
		handler = between(handler)
	}
	s.at = start(handler)
	t.Cleanup(s.at.Close)
	return s
}

func open(t *testing.T, s *server, change func(*blobs3.Config)) *blobs3.Bucket {
	t.Helper()
	c := blobs3.Config{
		Endpoint: s.Host, Bucket: s.Bucket, Prefix: s.Prefix + "/blobs", AccessKey: s.AccessKey, SecretKey: s.SecretKey, Plain: s.Plain || s.at != nil,
	}
	if s.at != nil {
		_, c.Endpoint, _ = strings.Cut(s.at.URL, "://")
		if cert := s.at.Certificate(); cert != nil {
			c.Plain, c.RootCAs = false, x509.NewCertPool()
			c.RootCAs.AddCert(cert)
		}
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
	if s3test.Open(t).Host == "" {
		return
	}
	t.Run("direct", func(t *testing.T) {
		conformance.BlobPlace(t, "s3", func(t *testing.T) func() blobs.Place {
			srv := &server{Server: s3test.Open(t)}
			return func() blobs.Place { return open(t, srv, nil) }
		})
	})
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
		if err == nil || strings.Contains(err.Error(), srv.SecretKey) {
			t.Errorf("error %v", err)
		}
	}
}

// TestARealServerRefusesAKeyAndABucketThatAreWrong runs where there is one: the server in
// the process asks for no key.
func TestARealServerRefusesAKeyAndABucketThatAreWrong(t *testing.T) {
	srv := &server{Server: s3test.Open(t)}
	if srv.Host == "" {
		return
	}
	for name, change := range map[string]func(*blobs3.Config){
		"key":    func(c *blobs3.Config) { c.AccessKey += "x" },
		"secret": func(c *blobs3.Config) { c.SecretKey += "x" },
		"bucket": func(c *blobs3.Config) { c.Bucket += "-that-is-not-there" },
	} {
		b := open(t, srv, change)
		_, err := b.Open(t.Context(), blob(1))
		for _, err := range []error{err, b.Put(t.Context(), blob(1), strings.NewReader("x"))} {
			if err == nil || strings.Contains(err.Error(), srv.SecretKey) {
				t.Errorf("%s: error %v", name, err)
			}
			t.Logf("%s: %v", name, err)
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
