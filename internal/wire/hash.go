package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// Hash is the SHA-256 of what a draft asks for. It does not depend on how the
// request was written: the order of names, blanks, escapes, null for absent,
// one address or a list of one, base64 or a list of numbers. A field that is
// empty adds nothing, so that a field invented later leaves the hashes of
// requests without it as they are.
func Hash(d *message.Draft) [32]byte {
	h := hasher{Hash: sha256.New(), chunk: make([]byte, 4096)}
	h.field("from", d.From)
	h.field("to", d.To...)
	h.field("cc", d.Cc...)
	h.field("bcc", d.Bcc...)
	h.field("reply_to", d.ReplyTo...)
	h.field("subject", d.Subject)
	h.field("html", d.HTML)
	h.field("text", d.Text)
	h.field("scheduled_at", d.ScheduledAt)
	h.field("expires_at", d.ExpiresAt)
	h.field("lane", d.Lane)
	h.field("on_unknown", d.OnUnknown)
	h.template(d.Template)
	h.pairs(d)
	for i := range d.Attachments {
		a := &d.Attachments[i]
		h.field("attachment", a.Filename, a.ContentType, a.ContentID)
		h.field("path", a.Path) // not the bytes behind it, which may change
		h.size(len(a.Data))
		_, _ = h.Write(a.Data)
	}
	return [32]byte(h.Sum(nil))
}

// hasher writes every string with its length before it, so that no two drafts
// write the same bytes.
type hasher struct {
	hash.Hash
	chunk []byte
}

func (h hasher) field(name string, values ...string) {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return
	}
	h.text(name)
	h.size(len(values))
	for _, value := range values {
		h.text(value)
	}
}

func (h hasher) pairs(d *message.Draft) {
	// Of two headers with one name, which only the command line can give, the
	// order stays.
	headers := slices.Clone(d.Headers)
	slices.SortStableFunc(headers, func(a, b message.Header) int { return strings.Compare(a.Name, b.Name) })
	for _, header := range headers {
		h.field("header", header.Name, header.Value)
	}
	for _, tag := range d.Tags {
		h.field("tag", tag.Name, tag.Value)
	}
	var metadata []message.Tag
	for name, value := range d.Metadata {
		metadata = append(metadata, message.Tag{Name: name, Value: value})
	}
	slices.SortFunc(metadata, func(a, b message.Tag) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range metadata {
		h.field("metadata", m.Name, m.Value)
	}
}

// The writes below cannot fail: a hash takes everything.

func (h hasher) text(s string) {
	h.size(len(s))
	for len(s) > 0 { // a body of many MB is not copied as a whole for this
		n := copy(h.chunk, s)
		_, _ = h.Write(h.chunk[:n])
		s = s[n:]
	}
}

func (h hasher) size(n int) {
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}
