// Package blobs3 keeps blobs in a bucket of any server that speaks S3.
package blobs3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/postrider/postrider/internal/message"
)

const (
	defaultRegion = "us-east-1"
	tries         = 3                // of one call; who asked tries again by itself
	answerWithin  = 15 * time.Second // until the first byte of an answer
)

// Config says which bucket, and for whom. All fields but Region, Prefix, Plain and
// RootCAs are required.
type Config struct {
	Endpoint  string // host or host:port
	Bucket    string // must exist
	Prefix    string // before the name of every object; "": none
	Region    string // "": us-east-1
	AccessKey string
	SecretKey string
	Plain     bool           // without TLS
	RootCAs   *x509.CertPool // nil: the system's
}

// Bucket is a place for blobs: an object for each, by its id. Safe for concurrent use.
type Bucket struct {
	core   minio.Core
	bucket string
	prefix string
	idle   func()
}

// New reads the configuration; it contacts nobody. Its errors name no key.
func New(c Config) (*Bucket, error) {
	if c.Region == "" {
		c.Region = defaultRegion // asking for it would be a call that many keys are not allowed
	}
	transport, err := minio.DefaultTransport(!c.Plain)
	if err != nil {
		return nil, fmt.Errorf("make a transport: %w", err)
	}
	transport.ResponseHeaderTimeout = answerWithin
	if c.RootCAs != nil {
		transport.TLSClientConfig.RootCAs = c.RootCAs
	}
	core, err := minio.NewCore(c.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: !c.Plain, Region: c.Region,
		Transport: transport, MaxRetries: tries,
	})
	if err != nil {
		return nil, err
	}
	return &Bucket{core: *core, bucket: c.Bucket, prefix: c.Prefix, idle: transport.CloseIdleConnections}, nil
}

// Close gives back the connections that are not in use.
func (b *Bucket) Close() { b.idle() }

func (b *Bucket) object(blob message.Blob) string { return path.Join(b.prefix, blob.ID.String()) }

// Put implements blobs.Place, in one request: an upload in parts would leave parts
// behind when it is broken off, which nobody finds by the name of the object.
func (b *Bucket) Put(ctx context.Context, blob message.Blob, data io.Reader) error {
	_, err := b.core.Client.PutObject(ctx, b.bucket, b.object(blob), data, blob.Size, minio.PutObjectOptions{
		DisableMultipart: true, ContentType: "application/octet-stream",
	})
	if err != nil {
		return fmt.Errorf("put a blob: %w", err)
	}
	return nil
}

var errSize = errors.New("the object has another size than the blob")

// Open implements blobs.Place.
func (b *Bucket) Open(ctx context.Context, blob message.Blob) (io.ReadCloser, error) {
	data, info, _, err := b.core.GetObject(ctx, b.bucket, b.object(blob), minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("open a blob: %w", err)
	}
	if info.Size != blob.Size {
		return nil, errors.Join(errSize, data.Close())
	}
	return data, nil
}

// Delete implements blobs.Place. S3 does not say whether there was anything.
func (b *Bucket) Delete(ctx context.Context, blob message.Blob) error {
	if err := b.core.RemoveObject(ctx, b.bucket, b.object(blob), minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("delete a blob: %w", err)
	}
	return nil
}
