// Package blobdir keeps blobs in a directory, which may be one that several hosts share.
package blobdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/postrider/postrider/internal/message"
)

// Dir is a place for blobs: a file for each, by its id, in folders by the end of the
// id. Nothing outside of the directory is ever touched, whatever links are in it. Safe
// for concurrent use.
type Dir struct{ root *os.Root }

// Open uses a directory, and makes it where it is missing. Close it.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{root: root}
	if err := d.makeFolders(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// makeFolders makes every folder there will be, so that a Put need not ask whether the
// one it found is durable yet.
func (d *Dir) makeFolders() error {
	for n := range 256 {
		if err := d.root.Mkdir(fmt.Sprintf("%02x", n), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return d.sync(".")
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.root.Close() }

// folder spreads files: the end of a UUIDv7 is random, its beginning is the time.
func folder(b message.Blob) string { id := b.ID.String(); return id[len(id)-2:] }

func file(b message.Blob) string { return folder(b) + "/" + b.ID.String() }

// unfinished is the name of what is still being written: no blob has it, and it is
// known from the blob, so that Delete finds what a crash left.
func unfinished(b message.Blob) string { return file(b) + ".part" }

// Put implements blobs.Place. The file gets its name when its bytes are on the disk, and
// Put returns when the name is too.
func (d *Dir) Put(ctx context.Context, b message.Blob, data io.Reader) error {
	if err := d.write(ctx, b, data); err != nil {
		_ = d.root.Remove(unfinished(b)) // else Delete will
		return fmt.Errorf("put a blob: %w", err)
	}
	if err := d.root.Rename(unfinished(b), file(b)); err != nil {
		return fmt.Errorf("put a blob: %w", err)
	}
	return d.sync(folder(b))
}

var errSize = errors.New("the bytes are fewer than was said")

func (d *Dir) write(ctx context.Context, b message.Blob, data io.Reader) (err error) {
	f, err := d.root.OpenFile(unfinished(b), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(data, b.Size))
	if err != nil {
		return err
	}
	if n < b.Size {
		return errSize
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Sync()
}

// sync makes the names in a folder durable.
func (d *Dir) sync(name string) (err error) {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// Open implements blobs.Place.
func (d *Dir) Open(_ context.Context, b message.Blob) (io.ReadCloser, error) {
	return d.root.Open(file(b))
}

// Delete implements blobs.Place.
func (d *Dir) Delete(_ context.Context, b message.Blob) error {
	removed := false
	for _, name := range []string{unfinished(b), file(b)} {
		switch err := d.root.Remove(name); {
		case err == nil:
			removed = true
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("delete a blob: %w", err)
		}
	}
	if !removed {
		return nil
	}
	return d.sync(folder(b)) // whoever asked forgets the blob now
}
