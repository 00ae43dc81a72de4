package wire

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// maxBatchTokens bounds a batch as maxTokens bounds each of its emails: 500 that
// use every limit of theirs need less.
const maxBatchTokens = 1_000_000

// BatchBodyLimit is BodyLimit for the body of POST /v1/emails/batch.
func BatchBodyLimit(limits message.Limits) int64 { return int64(limits.BatchBytes) * 36 / 25 }

// ReadBatch reads the body of POST /v1/emails/batch, a list of emails, each as
// ReadEmail does. What is wrong with one stands in its item and does not keep the
// others from being read.
//
// The error is a *message.Error where the body as a whole cannot be taken: it is
// not JSON, not a list, empty, or longer than a limit allows; those of ReadEmail
// for such a body are the same.
func ReadBatch(r io.Reader, permissive bool, limits message.Limits, now time.Time) (*message.BatchDraft, error) {
	in, err := newReader(r, BatchBodyLimit(limits))
	if err != nil {
		return nil, err
	}
	in.within = 1
	b := &batchReader{reader: in, limits: limits, now: now, hash: newBatchHash(permissive)}
	err = in.sole('[', "list", func() error { return in.array(b.element) })
	if errors.Is(err, errStop) {
		if err = b.whole.Err(); err == nil { // the bracket that ends the list was one too many
			err = only(message.CodeTooLarge, "has too many names and values")
		}
	}
	if err == nil && len(b.items) == 0 {
		err = only(message.CodeMissingField, "give at least one email")
	}
	if err != nil {
		return nil, err
	}
	return &message.BatchDraft{Items: b.items, Permissive: permissive, Hash: [32]byte(b.hash.Sum(nil))}, nil
}

// batchReader reads one email after the other.
type batchReader struct {
	*reader
	limits message.Limits
	now    time.Time
	items  []message.BatchItem
	hash   hasher
	whole  message.Faults // those that end the batch
}

func (b *batchReader) element(i int) error {
	if i >= b.limits.BatchMessages {
		return only(message.CodeTooLarge, fmt.Sprintf("has more than %d emails", b.limits.BatchMessages))
	}
	b.faults, b.most = message.Faults{}, min(b.tokens+maxTokens, maxBatchTokens)
	start := b.dec.InputOffset()
	e := &emailReader{reader: b.reader, draft: &message.Draft{}}
	if err := b.read(e); err != nil {
		if errors.Is(err, errStop) {
			b.stopped(i)
		}
		return err
	}
	item := b.item(e.draft)
	b.faults = message.Faults{} // they are the item's; what comes next is read without them
	b.items = append(b.items, item)
	if item.Draft != nil {
		b.hash.sum(Hash(item.Draft))
	} else { // as it is written: two faulty emails that read alike may differ
		b.hash.sum(sha256.Sum256(bytes.TrimLeft(b.body[start:b.dec.InputOffset()], ", \t\r\n")))
	}
	return nil
}

// read reads one email to its end, also where it has more faults than are kept.
func (b *batchReader) read(e *emailReader) error {
	depth := b.dec.StackDepth()
	if b.dec.PeekKind() != '{' {
		return b.refuse(message.CodeInvalidField, "must be an object")
	}
	err := e.object(e.member)
	if !errors.Is(err, errStop) || !b.faults.Full() {
		return err
	}
	for b.dec.StackDepth() > depth {
		if _, err := b.dec.ReadToken(); err != nil {
			return syntax(err)
		}
		if err := b.spend(); err != nil {
			return err
		}
	}
	return nil
}

// stopped makes the faults of the email that ended the reading those of the batch.
func (b *batchReader) stopped(i int) {
	var e *message.Error
	if errors.As(b.faults.Err(), &e) {
		b.whole.AddAt(message.Pointer(strconv.Itoa(i)), e)
	}
}

// item is what was read: a draft without faults, or all of its faults.
func (b *batchReader) item(draft *message.Draft) message.BatchItem {
	err := b.faults.Err()
	if err == nil {
		return message.BatchItem{Draft: draft}
	}
	var e *message.Error
	errors.As(merge(err, b.limits.Precheck(draft, b.now)), &e)
	return message.BatchItem{Err: e}
}

func only(code message.Code, detail string) error {
	var faults message.Faults
	faults.Add("", code, detail)
	return faults.Err()
}

// newBatchHash begins as no email's hash does, whose first text is the name of a
// field.
func newBatchHash(permissive bool) hasher {
	h := hasher{Hash: sha256.New(), chunk: make([]byte, 4096)}
	h.text("batch")
	if permissive {
		h.text("permissive")
	}
	return h
}

func (h hasher) sum(digest [32]byte) { _, _ = h.Write(digest[:]) }
