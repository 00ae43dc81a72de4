package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/message"
)

// FilePorts is what the API asks of a store beyond StorePorts: the files of stored
// messages, and what links to them are signed with.
type FilePorts interface {
	StorePorts
	Files(ctx context.Context, tenant int64, id uuid.UUID) ([]message.File, error)
	blobs.Index
	Secret(ctx context.Context, name string) ([32]byte, error)
}

// Files holds a store that keeps files to FilePorts, which its Open returns. Every
// case gets a fixture of its own.
func Files(t *testing.T, fixture func(t *testing.T, m message.Marking) StoreFixture) {
	for _, c := range fileCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newStoreBench(t, fixture(t, message.MarkAlways)))
		})
	}
}

func fileCases() []storeCase {
	return []storeCase{
		{"the files of a message are listed in its order", caseFiles},
		{"files are found by their tenant and message only", caseFilesOfOthers},
		{"a secret is the same for all who ask, from the first call on", caseSecret},
	}
}

func (b *storeBench) files() FilePorts {
	b.Helper()
	f, ok := b.store.(FilePorts)
	if !ok {
		b.Fatalf("a %T keeps no files", b.store)
	}
	return f
}

func caseFiles(b *storeBench) {
	large := make([]byte, 700_001)
	_, _ = rand.Read(large)
	s := draft(1)
	s.Message.Attachments = []message.Attachment{
		{Filename: "b.bin", ContentType: "application/octet-stream", Disposition: "attachment", Size: int64(len(large)), Data: large},
		{Filename: "a.png", ContentType: "image/png", ContentID: "logo", Disposition: "inline", Size: 2, Data: []byte{0, 255}},
		{Filename: "empty", ContentType: "text/plain", Disposition: "attachment"},
	}
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	files, err := b.files().Files(b.Context(), message.DefaultTenant, s.Message.ID)
	b.check(err)
	equal(b, "files", len(files), 3)
	for i, f := range files {
		a := s.Message.Attachments[i]
		equal(b, "described", [5]any{f.Filename, f.ContentType, f.ContentID, f.Disposition, f.Size}, [5]any{a.Filename, a.ContentType, a.ContentID, a.Disposition, a.Size})
		equal(b, "whose", f.TenantID == message.DefaultTenant && f.MessageID == s.Message.ID && f.ID != uuid.Nil, true)
		found, err := b.files().Attachment(b.Context(), message.DefaultTenant, s.Message.ID, f.N)
		b.check(err)
		equal(b, "the same one", [2]any{found.Filename, found.Size}, [2]any{a.Filename, a.Size})
		equal(b, "bytes", !found.Blob.IsZero() || bytes.Equal(found.Data, a.Data), true)
	}
	none, err := b.files().Files(b.Context(), message.DefaultTenant, b.post().MessageID)
	b.check(err)
	equal(b, "a message without files", len(none), 0)
}

func caseFilesOfOthers(b *storeBench) {
	s := withFile(draft(1))
	b.check(b.store.Accept(b.Context(), []message.Submission{s})[0].Err)
	for tenant, id := range map[int64]uuid.UUID{message.DefaultTenant + 1: s.Message.ID, message.DefaultTenant: message.NewID()} {
		_, err := b.files().Files(b.Context(), tenant, id)
		equal(b, "found", errors.Is(err, message.ErrNotFound), true)
	}
}

func caseSecret(b *storeBench) {
	secrets := make([][32]byte, 8)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			var err error
			if secrets[i], err = b.files().Secret(b.Context(), "links"); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range secrets {
		equal(b, "secret", s, secrets[0])
	}
	equal(b, "is random", secrets[0] != [32]byte{}, true)
	other, err := b.files().Secret(b.Context(), "another")
	b.check(err)
	equal(b, "another name", other != secrets[0], true)
}
