package blobdir_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobdir"
	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/conformance"
	"github.com/postrider/postrider/internal/message"
)

func open(t *testing.T, path string) *blobdir.Dir {
	t.Helper()
	d, err := blobdir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestBlobPlace(t *testing.T) {
	conformance.BlobPlace(t, "dir", func(t *testing.T) func() blobs.Place {
		path := filepath.Join(t.TempDir(), "new", "folder")
		return func() blobs.Place { return open(t, path) }
	})
}

// files lists what is in the folder, by path.
func files(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(path, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWhatACrashLeftOfAPutIsDeletedByTheBlobsName(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	id := uuid.Must(uuid.NewV7())
	b := message.Blob{ID: id, Size: 3}
	left := filepath.Join(path, id.String()[34:], id.String()+".part")
	if err := os.WriteFile(left, []byte("ab"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Open(t.Context(), b); err == nil {
		_ = r.Close()
		t.Error("what was not finished is taken for a blob")
	}
	if err := d.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if found := files(t, path); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blobs")
	d := open(t, path)
	if err := d.Put(t.Context(), message.Blob{ID: uuid.Must(uuid.NewV7()), Size: 3}, bytes.NewReader([]byte("abc"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files(t, path), path) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}

// A link that somebody put into the folder must not lead a blob out of it.
func TestALinkLeadsNowhereElse(t *testing.T) {
	path, outside := t.TempDir(), t.TempDir()
	d := open(t, path)
	b := message.Blob{ID: uuid.Must(uuid.NewV7()), Size: 3}
	folder := filepath.Join(path, b.ID.String()[34:])
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, folder); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), b, bytes.NewReader([]byte("abc"))); err == nil {
		t.Error("the blob was put outside of the folder")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("found outside: %v, %v", entries, err)
	}
}
