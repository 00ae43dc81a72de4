// Package s3test is the S3 server that tests keep blobs in. It runs in the process,
// unless POSTRIDER_TEST_S3_URL names a real one, of any make, that tests may write to:
//
//	POSTRIDER_TEST_S3_URL=http://ACCESS_KEY:SECRET_KEY@127.0.0.1:9000/BUCKET
//
// With https its certificate must be one that the system trusts, or SSL_CERT_FILE names. A
// bucket that is not there is made. Each test writes under a prefix of its own and
// deletes nothing at its end.
package s3test

import (
	"cmp"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Setting is the variable that names a real server.
const Setting = "POSTRIDER_TEST_S3_URL"

// Server is a server with a bucket. Safe for concurrent use.
type Server struct {
	http.Handler        // to be served under any name; a real server is behind it
	Host         string // host:port of a real server; "": there is none
	Plain        bool   // it is without TLS
	Bucket       string
	Prefix       string // of what the test writes
	AccessKey    string
	SecretKey    string

	backend gofakes3.Backend // nil: the server is real
	client  *minio.Client
}

// Open is a server for one test. Whatever goes wrong ends the test.
func Open(t testing.TB) *Server {
	t.Helper()
	prefix := uuid.NewString()
	if given := os.Getenv(Setting); given != "" {
		return dial(t, given, prefix)
	}
	backend := s3mem.New()
	if err := backend.CreateBucket("mail"); err != nil {
		t.Fatal(err)
	}
	return &Server{
		Handler: gofakes3.New(backend).Server(), Bucket: "mail", Prefix: prefix,
		AccessKey: "key", SecretKey: "a-secret-key-that-must-not-show", backend: backend,
	}
}

func dial(t testing.TB, given, prefix string) *Server {
	t.Helper()
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.User == nil || strings.Trim(u.Path, "/") == "" {
		t.Fatal(Setting + " must be http://ACCESS_KEY:SECRET_KEY@HOST:PORT/BUCKET")
	}
	s := &Server{Host: u.Host, Plain: u.Scheme == "http", Bucket: strings.Trim(u.Path, "/"), Prefix: prefix, AccessKey: u.User.Username()}
	s.SecretKey, _ = u.User.Password()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	s.client, err = minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: !s.Plain, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.bucket(t)
	s.Handler = &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
		r.Out.Host = r.In.Host // it is signed
	}}
	return s
}

// bucket makes the bucket; another test may be faster.
func (s *Server) bucket(t testing.TB) {
	t.Helper()
	err := s.client.MakeBucket(t.Context(), s.Bucket, minio.MakeBucketOptions{})
	there, thereErr := s.client.BucketExists(t.Context(), s.Bucket)
	if !there {
		t.Fatalf("make the bucket: %v", cmp.Or(err, thereErr))
	}
}

// Objects is how many the test has in the bucket.
func (s *Server) Objects(t testing.TB) int {
	t.Helper()
	if s.backend != nil {
		list, err := s.backend.ListBucket(s.Bucket, nil, gofakes3.ListBucketPage{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Contents)
	}
	n := 0
	for object := range s.client.ListObjects(t.Context(), s.Bucket, minio.ListObjectsOptions{Prefix: s.Prefix, Recursive: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		n++
	}
	return n
}
