package app

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

func TestAPlaceThatFailsIsSeenUntilItWorks(t *testing.T) {
	o := &observedBlobs{failed: map[string]placeFault{}, keeper: blobs.New(blobs.Config{})}
	b := message.Blob{ID: uuid.New(), Place: "s3://old/mail"}
	if f := o.look(t.Context()); f != nil {
		t.Fatalf("seen before anything failed: %+v", f)
	}
	if _, err := o.Open(t.Context(), b); err == nil {
		t.Fatal("opened")
	}
	f := o.look(t.Context())
	if f == nil || f.cause != causePlace || f.status != httpapi.CheckDegraded || !strings.Contains(f.detail, "s3://old/mail") {
		t.Fatalf("%+v", f)
	}
	o.note(t.Context(), b.Place, &message.BlobError{Blob: b, Err: io.ErrUnexpectedEOF})
	if f := o.look(t.Context()); f == nil || f.cause != causeAway {
		t.Errorf("%+v", f)
	}
	o.note(t.Context(), "other", nil)
	if o.look(t.Context()) == nil {
		t.Error("another place healed it")
	}
	o.note(t.Context(), b.Place, nil)
	o.note(t.Context(), b.Place, errors.New("the database is away"))
	if f := o.look(t.Context()); f != nil {
		t.Errorf("%+v", f)
	}
}
