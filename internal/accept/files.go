package accept

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/message"
)

const (
	// fetchTime bounds the fetching of all files of one message.
	fetchTime = 15 * time.Second
	// fetchWait is how long a message waits for its turn.
	fetchWait = 5 * time.Second
	// maxFetching is how many messages may have files fetched at the same time. Each
	// holds what it fetched until it is stored: up to 40 MB. A tenant whose URLs hang
	// must leave some for the others.
	maxFetching       = 8
	maxFetchingTenant = 4
	// keepTime bounds the keeping of all files of one message.
	keepTime = time.Minute
)

// Blobs keeps the bytes of attachments apart from their messages. They are durable when
// Keep returns nil, and a message may refer to them for some time after that; without
// one they go by themselves. Its error wraps message.ErrUnavailable. Safe for concurrent
// use.
type Blobs interface {
	Keep(ctx context.Context, tenant, size int64, data io.Reader) (message.Blob, error)
}

// Fetcher gets the file that a URL leads to, of at most limit bytes. The error is a
// *message.FetchError. Safe for concurrent use.
type Fetcher interface {
	Fetch(ctx context.Context, url string, limit int64) ([]byte, error)
}

// KeepApart has large attachments kept apart from their messages. Without it they are
// stored with them, whatever their size.
func KeepApart(b Blobs) Option { return func(s *Service) { s.blobs = b } }

// Fetch has files fetched whose URL is given instead of their content. Without it they
// are refused.
func Fetch(f Fetcher) Option {
	return func(s *Service) { s.fetcher, s.fetching = f, newTurns(maxFetching, maxFetchingTenant) }
}

// files is what a Service has for attachments.
type files struct {
	blobs    Blobs
	fetcher  Fetcher
	fetching *turns
}

// hasMore reports whether there is more to do for the draft than to commit it.
func (f *files) hasMore(d *message.Draft) bool {
	return len(d.Attachments) > 0 && (hasPaths(d) || f.blobs != nil && dataSize(d) > message.LargestInline)
}

func hasPaths(d *message.Draft) bool {
	return slices.ContainsFunc(d.Attachments, func(a message.DraftAttachment) bool { return a.Path != "" })
}

func dataSize(d *message.Draft) (n int) {
	for i := range d.Attachments {
		n += len(d.Attachments[i].Data)
	}
	return n
}

// tooLarge reports whether the message has more in its files than it carries in itself.
func (f *files) tooLarge(m *message.Message) bool {
	size := int64(0)
	for i := range m.Attachments {
		size += m.Attachments[i].Size
	}
	return f.blobs != nil && size > message.LargestInline
}

// take commits a message, after its files are fetched and kept where there is that to
// do. A repetition is answered before it. Tried is whether the store was given the
// message: what fails before that has certainly stored nothing.
func (s *Service) take(ctx context.Context, draft *message.Draft, sub message.Submission) (a message.Acceptance, tried bool, err error) {
	if s.hasMore(draft) {
		a, err = s.replay(ctx, sub.Message.TenantID, sub.IdempotencyKey, sub.Hash, errNotKnown)
		if !errors.Is(err, errNotKnown) {
			return a, false, err
		}
		done, err := s.prepare(ctx, sub.Message, draft)
		if err != nil {
			return message.Acceptance{}, false, err
		}
		defer done()
	}
	a, err = s.submit(ctx, sub)
	return a, true, err
}

// prepare fetches and keeps the files of a message that was made of the draft. Done gives
// back what that takes until the message is stored, or given up.
func (s *Service) prepare(ctx context.Context, m *message.Message, draft *message.Draft) (done func(), err error) {
	done = func() {}
	if hasPaths(draft) {
		if done, err = s.fetchAll(ctx, m, draft); err != nil {
			return nil, err
		}
	}
	if err = s.keepFiles(ctx, m); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

var errNotKnown = errors.New("no request is known under this key")

// keepFiles puts all that is more than a message carries in itself where it can refer to
// it. What was kept before an error, or for a message that is not stored after all, is
// deleted as any blob that nothing refers to.
func (s *Service) keepFiles(ctx context.Context, m *message.Message) error {
	if s.blobs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, keepTime, fmt.Errorf("keeping the attachments took longer than %v", keepTime))
	defer cancel()
	inline := int64(0)
	for i := range m.Attachments {
		a := &m.Attachments[i]
		if inline+a.Size <= message.LargestInline {
			inline += a.Size
			continue
		}
		blob, err := s.blobs.Keep(ctx, m.TenantID, a.Size, bytes.NewReader(a.Data))
		if err != nil {
			return err
		}
		a.Blob, a.Data = blob, nil
	}
	return nil
}

// fetchAll gives the message those of its files that the draft has a URL for. Done gives
// back what they take.
func (s *Service) fetchAll(ctx context.Context, m *message.Message, draft *message.Draft) (done func(), err error) {
	if s.fetcher == nil {
		return nil, refusePaths(draft)
	}
	waiting, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	if s.fetching.take(waiting, m.TenantID) != nil {
		return nil, &message.Error{
			Code: message.CodeOverloaded, Detail: "too many files are being fetched at once; repeat this request shortly",
		}
	}
	done = func() { s.fetching.leave(m.TenantID) }
	ctx, cancel = context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if err = s.fetch(ctx, m, draft); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// fetch gets the files one after the other: each may be as large as what the message has
// left. The first that does not come ends it: the caller repeats the request anyway.
func (s *Service) fetch(ctx context.Context, m *message.Message, draft *message.Draft) error {
	for i := range draft.Attachments {
		path := draft.Attachments[i].Path
		if path == "" {
			continue
		}
		left := max(0, s.limits.MessageBytes-weigh(message.Submission{Message: m}))
		data, err := s.fetcher.Fetch(ctx, path, int64(left))
		if err != nil {
			var faults message.Faults
			faults.Add(pathPointer(i), message.CodeInvalidAttachment, reason(err))
			return faults.Err()
		}
		a := &m.Attachments[i]
		a.Data, a.Size, a.SHA256 = data, int64(len(data)), sha256.Sum256(data)
	}
	return nil
}

func pathPointer(i int) string { return message.Pointer("attachments", strconv.Itoa(i), "path") }

// reason is what the caller may know of an error.
func reason(err error) string {
	if fetch, ok := errors.AsType[*message.FetchError](err); ok {
		return fetch.Detail
	}
	return "the file could not be fetched"
}

func refusePaths(draft *message.Draft) error {
	var faults message.Faults
	for i := range draft.Attachments {
		if draft.Attachments[i].Path != "" {
			faults.Add(pathPointer(i), message.CodeUnsupportedField, "files are not fetched here; send the content in base64 instead")
		}
	}
	return faults.Err()
}
