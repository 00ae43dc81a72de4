package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/loop"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/pause"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 100
	// looseFor is far longer than it takes to accept a message. One that took longer
	// would be refused, and its caller told to repeat it.
	looseFor = time.Hour
)

// Config is what a Keeper is built from.
type Config struct {
	Ledger Ledger
	Into   string           // the place for new blobs
	Places map[string]Place // every place that blobs may be in, by the name written down with them
	Logger *slog.Logger     // nil: none
}

// Keeper keeps blobs. Safe for concurrent use. Start it where loose blobs are to be
// deleted; Stop may be called at any time and more than once.
type Keeper struct {
	cfg    Config
	log    *slog.Logger
	sweeps *loop.Group
}

// New returns a keeper that does not sweep yet.
func New(cfg Config) *Keeper {
	k := &Keeper{cfg: cfg, log: cfg.Logger, sweeps: loop.NewGroup()}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	return k
}

// Into is the place of new blobs.
func (k *Keeper) Into() string { return k.cfg.Into }

// Keep puts bytes of a tenant's where a message can refer to them. They are durable when
// it returns nil, and deleted some time after the return where no message has come to
// refer to them. Its error wraps message.ErrUnavailable: repeated later it
// may work; where the place is at fault, it is a *message.BlobError too.
func (k *Keeper) Keep(ctx context.Context, tenant, size int64, data io.Reader) (message.Blob, error) {
	b := message.Blob{ID: uuid.Must(uuid.NewV7()), TenantID: tenant, Place: k.cfg.Into, Size: size}
	if err := k.cfg.Ledger.Reserve(ctx, []message.Blob{b}); err != nil {
		return message.Blob{}, err
	}
	place, err := k.place(b)
	if err == nil {
		err = place.Put(ctx, b, data)
	}
	if err != nil {
		return message.Blob{}, fmt.Errorf("keep an attachment: %w: %w", message.ErrUnavailable, &message.BlobError{Blob: b, Err: err})
	}
	return b, nil
}

// Open reads a blob. Its error is a *message.BlobError.
func (k *Keeper) Open(ctx context.Context, b message.Blob) (io.ReadCloser, error) {
	place, err := k.place(b)
	if err != nil {
		return nil, &message.BlobError{Blob: b, Err: err}
	}
	data, err := place.Open(ctx, b)
	if err != nil {
		return nil, &message.BlobError{Blob: b, Err: err}
	}
	return data, nil
}

// ErrUnknownPlace: this process was not told of a place.
var ErrUnknownPlace = errors.New("this process does not know the place; name it in POSTRIDER_BLOB_URL, or in POSTRIDER_BLOB_ALSO where it is no longer the one for new attachments")

func (k *Keeper) place(b message.Blob) (Place, error) {
	if p := k.cfg.Places[b.Place]; p != nil {
		return p, nil
	}
	return nil, ErrUnknownPlace
}

// Start begins to delete loose blobs, and returns at once.
func (k *Keeper) Start() {
	k.sweeps.Start(func(ctx context.Context) {
		for {
			if _, err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
				k.log.Warn("blobs that no message refers to were not all deleted; they are tried again", "error", err,
					"remedy", "bring back the place that the error names, or name it in POSTRIDER_BLOB_ALSO; no mail depends on it")
			}
			if pause.Jittered(ctx, sweepEvery) != nil {
				return
			}
		}
	})
}

// Stop ends the sweeps and returns when none runs any more, or when ctx ends.
func (k *Keeper) Stop(ctx context.Context) error { return k.sweeps.Stop(ctx) }

// Sweep deletes the blobs that no message has referred to for an hour, and returns how
// many those were. It may run beside those of other processes. A place that fails does
// not keep the blobs of the others.
func (k *Keeper) Sweep(ctx context.Context) (int, error) {
	total, failed := 0, error(nil)
	for {
		doomed, err := k.cfg.Ledger.Doom(ctx, looseFor, sweepBatch)
		if err != nil {
			return total, errors.Join(failed, err)
		}
		gone, err := k.delete(ctx, doomed)
		failed = errors.Join(failed, err)
		if len(gone) > 0 {
			if err := k.cfg.Ledger.Forget(ctx, gone); err != nil {
				return total, errors.Join(failed, err)
			}
		}
		if total += len(gone); len(doomed) < sweepBatch {
			break
		}
	}
	if total > 0 {
		k.log.Info("deleted blobs that no message refers to", "blobs", total)
	}
	return total, failed
}

// delete returns the blobs whose bytes are gone. Of errors it returns the last: a place
// that is away would say the same of each.
func (k *Keeper) delete(ctx context.Context, doomed []message.Blob) (gone []message.Blob, err error) {
	for _, b := range doomed {
		place, failed := k.place(b)
		if failed == nil {
			failed = place.Delete(ctx, b)
		}
		if failed != nil {
			err = fmt.Errorf("delete blob %s at %s: %w", b.ID, b.Place, failed)
			continue
		}
		gone = append(gone, b)
	}
	return gone, err
}
