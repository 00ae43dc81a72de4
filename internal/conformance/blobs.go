package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/message"
)

// BlobPlace is the suite for places of blobs. Open makes a fresh and empty place; a
// second call with the same test leads to the same one, as another process would.
func BlobPlace(t *testing.T, name string, open func(t *testing.T) func() blobs.Place) {
	t.Helper()
	for _, c := range blobCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			again := open(t)
			c.run(&blobTest{T: t, name: name, place: again(), again: again})
		})
	}
}

type blobCase struct {
	name string
	run  func(*blobTest)
}

func blobCases() []blobCase {
	return []blobCase{
		{"what was put is what is opened, whatever its size", caseBlobSizes},
		{"another process opens it too", caseBlobElsewhere},
		{"one that is not there is an error of open", caseBlobMissing},
		{"a deleted one is gone, and deleting it again is no error", caseBlobDeleted},
		{"one that was broken off is none, and can be deleted", caseBlobBrokenOff},
		{"fewer bytes than were said are an error", caseBlobShort},
		{"a put whose time is over is an error", caseBlobCanceled},
		{"many at once do not disturb each other", caseBlobCrowd},
		{"two readers of one do not disturb each other", caseBlobReaders},
	}
}

type blobTest struct {
	*testing.T
	name  string
	place blobs.Place
	again func() blobs.Place
}

func (b *blobTest) blob(size int) (message.Blob, []byte) {
	b.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data) // never fails
	return message.Blob{ID: uuid.Must(uuid.NewV7()), TenantID: message.DefaultTenant, Place: b.name, Size: int64(size)}, data
}

func (b *blobTest) put(size int) (message.Blob, []byte) {
	b.Helper()
	blob, data := b.blob(size)
	if err := b.place.Put(b.Context(), blob, bytes.NewReader(data)); err != nil {
		b.Fatalf("put %d bytes: %v", size, err)
	}
	return blob, data
}

func (b *blobTest) isThere(place blobs.Place, blob message.Blob, want []byte) {
	b.Helper()
	r, err := place.Open(b.Context(), blob)
	if err != nil {
		b.Errorf("open: %v", err)
		return
	}
	defer func() {
		if err := r.Close(); err != nil {
			b.Errorf("close: %v", err)
		}
	}()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		b.Errorf("read %d bytes that are not the %d that were put: %v", len(got), len(want), err)
	}
}

func (b *blobTest) isNotThere(blob message.Blob) {
	b.Helper()
	r, err := b.place.Open(b.Context(), blob)
	if err == nil {
		_ = r.Close()
		b.Error("a blob that is not there was opened")
	}
}

func caseBlobSizes(b *blobTest) {
	for _, size := range []int{1, 1000, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3<<20 + 7} {
		blob, data := b.put(size)
		b.isThere(b.place, blob, data)
	}
}

func caseBlobElsewhere(b *blobTest) {
	blob, data := b.put(300 << 10)
	b.isThere(b.again(), blob, data)
}

func caseBlobMissing(b *blobTest) {
	blob, _ := b.blob(1000)
	b.isNotThere(blob)
}

func caseBlobDeleted(b *blobTest) {
	blob, _ := b.put(600 << 10)
	other, data := b.put(1000)
	for range 2 {
		if err := b.place.Delete(b.Context(), blob); err != nil {
			b.Fatalf("delete: %v", err)
		}
		b.isNotThere(blob)
	}
	b.isThere(b.place, other, data)
}

var errBrokenOff = errors.New("broken off")

func caseBlobBrokenOff(b *blobTest) {
	blob, data := b.blob(600 << 10)
	err := b.place.Put(b.Context(), blob, io.MultiReader(bytes.NewReader(data[:500<<10]), iotest.ErrReader(errBrokenOff)))
	if err == nil {
		b.Fatal("a put that was broken off says that it was not")
	}
	if r, err := b.place.Open(b.Context(), blob); err == nil {
		_, err = io.Copy(io.Discard, r)
		_ = r.Close()
		if err == nil {
			b.Error("half a blob is taken for one")
		}
	}
	if err := b.place.Delete(b.Context(), blob); err != nil {
		b.Errorf("delete: %v", err)
	}
	b.isNotThere(blob)
}

func caseBlobShort(b *blobTest) {
	blob, data := b.blob(1000)
	if err := b.place.Put(b.Context(), blob, bytes.NewReader(data[:999])); err == nil {
		b.Error("a byte is missing and nobody says so")
	}
}

func caseBlobCanceled(b *blobTest) {
	blob, data := b.blob(1000)
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if err := b.place.Put(ctx, blob, bytes.NewReader(data)); err == nil {
		b.Error("put went on after its time")
	}
}

func caseBlobCrowd(b *blobTest) {
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			blob, data := b.blob(10_000 + n)
			if err := b.place.Put(b.Context(), blob, bytes.NewReader(data)); err != nil {
				b.Errorf("put: %v", err)
				return
			}
			b.isThere(b.place, blob, data)
		})
	}
	all.Wait()
}

func caseBlobReaders(b *blobTest) {
	blob, data := b.put(700 << 10)
	first, err := b.place.Open(b.Context(), blob)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	half := make([]byte, 300<<10)
	if _, err := io.ReadFull(first, half); err != nil {
		b.Fatal(err)
	}
	b.isThere(b.place, blob, data)
	rest, err := io.ReadAll(first)
	if err != nil || !bytes.Equal(append(half, rest...), data) {
		b.Error(fmt.Errorf("the first reader was disturbed: %w", err))
	}
}
