package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/blobdir"
	"github.com/postrider/postrider/internal/blobs"
	"github.com/postrider/postrider/internal/blobs3"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/fetch"
	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
)

// openPlaces opens the places of attachments that are not in the database. Like all that
// is open before the start, they come before what is started.
func (a *assembly) openPlaces(context.Context) error {
	a.places = map[string]blobs.Place{}
	for _, u := range a.blob.All() {
		if u.Place() == store.PlaceParts || a.places[u.Place()] != nil {
			continue
		}
		p, err := a.openPlace(u)
		if err != nil {
			return fmt.Errorf("POSTRIDER_BLOB_URL or POSTRIDER_BLOB_ALSO: %w", err)
		}
		a.places[u.Place()] = p
	}
	return nil
}

func (a *assembly) openPlace(u config.BlobURL) (blobs.Place, error) {
	if u.Kind == config.BlobDir {
		d, err := blobdir.Open(u.Dir)
		if err != nil {
			return nil, fmt.Errorf("%w; name a folder that this user may write to", err)
		}
		a.opened("attachments folder", d.Close)
		return d, nil
	}
	b, err := blobs3.New(blobs3.Config{
		Endpoint: u.Endpoint, Bucket: u.Bucket, Prefix: u.Prefix, Region: u.Region, Plain: u.Plain,
		AccessKey: a.blob.AccessKey.Reveal(), SecretKey: a.blob.SecretKey.Reveal(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w; correct endpoint, bucket and region", err)
	}
	a.opened("attachments bucket", func() error { b.Close(); return nil })
	return b, nil
}

// makeBlobs makes the keeper of attachments. The database is always one of its places:
// what is there came in when the settings were others.
func (a *assembly) makeBlobs(context.Context) error {
	a.places[store.PlaceParts], a.places[store.PlaceRow] = a.store.Parts(), a.store.Parts()
	keeper := blobs.New(blobs.Config{Ledger: a.store, Into: a.blob.URL.Place(), Places: a.places, Logger: a.log})
	a.blobs = &observedBlobs{keeper: keeper, failed: map[string]placeFault{}}
	a.watch.add(check{part: "attachments", causes: []string{causeAway, causePlace}, look: a.blobs.look})
	if a.serving != nil {
		a.add(part{name: "attachments", start: noError(keeper.Start), stop: keeper.Stop})
	}
	return nil
}

// acceptOptions are what the settings say of attachments.
func (a *assembly) acceptOptions() []accept.Option {
	options := []accept.Option{accept.KeepApart(a.blobs)}
	if a.fetch.AttachmentFetch != "off" {
		options = append(options, accept.Fetch(fetch.New(fetch.Config{Allow: a.fetch.AttachmentFetchAllow, Program: "postrider/" + a.build.Version})))
	}
	return options
}

// observedBlobs remembers which places failed last. Safe for concurrent use.
type observedBlobs struct {
	keeper *blobs.Keeper

	mu     sync.Mutex
	failed map[string]placeFault
}

type placeFault struct {
	err error
	at  time.Time
}

// placeFaultKept is how long a failure is told of when nobody has asked the place for
// anything since: longer than most waits between two tries of a mail.
const placeFaultKept = 10 * time.Minute

// Keep implements accept.Blobs.
func (o *observedBlobs) Keep(ctx context.Context, tenant, size int64, data io.Reader) (message.Blob, error) {
	b, err := o.keeper.Keep(ctx, tenant, size, data)
	o.note(ctx, o.keeper.Into(), err)
	return b, err
}

// Open implements render.Opener.
func (o *observedBlobs) Open(ctx context.Context, b message.Blob) (io.ReadCloser, error) {
	data, err := o.keeper.Open(ctx, b)
	o.note(ctx, b.Place, err)
	return data, err
}

// note tells of a place. A database that is away has a check of its own, and a caller
// who has gone is nobody's fault.
func (o *observedBlobs) note(ctx context.Context, place string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, atFault := errors.AsType[*message.BlobError](err)
	switch {
	case err == nil:
		delete(o.failed, place)
	case ctx.Err() == nil && atFault:
		o.failed[place] = placeFault{err: err, at: time.Now()}
	}
}

// look finds a place whose last call failed.
func (o *observedBlobs) look(context.Context) *fault {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.failed, func(_ string, f placeFault) bool { return time.Since(f.at) > placeFaultKept })
	if len(o.failed) == 0 {
		return nil
	}
	place := slices.Min(slices.Collect(maps.Keys(o.failed)))
	found := &fault{
		status: httpapi.CheckDegraded, cause: causeAway, detail: "attachments at " + place + " cannot be had", err: o.failed[place].err,
		remedy: "bring that place back; the error in the log says what is wrong. Mail with such attachments is tried again, new mail with large ones is refused for now, all other goes on",
	}
	if errors.Is(found.err, blobs.ErrUnknownPlace) {
		found.cause = causePlace
		found.remedy = "give this process the POSTRIDER_BLOB_URL of the producers, or name the place in POSTRIDER_BLOB_ALSO; the mail is tried again"
	}
	return found
}
