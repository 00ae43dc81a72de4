package mailcatch

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"github.com/jhillyerd/enmime/v2/mediatype"
)

// Limits on what the page takes apart. What is beyond them is shown as source
// or offered as one file.
const (
	maxMultiparts = 16   // the parser's time doubles with each level that is left unclosed
	maxDelimiters = 5000 // lines that begin with --: the parser keeps every part
	maxTypeBytes  = 16 << 10
	maxHTML       = 1 << 20 // bytes that are previewed
	maxText       = 256 << 10
)

// errTooComplex is a mail with more parts than are taken apart.
var errTooComplex = errors.New("too many parts to take apart")

// view is a mail taken apart for the page.
type view struct {
	text    string // text/plain parts, UTF-8, cut at maxText
	textCut bool
	html    string // the first HTML part, as sent: never to be shown unsanitised
	files   []file
	err     error // why parts are missing, nil if none are
}

// file is a part that is not the mail's own text: n counts from 0.
type file struct {
	n         int
	name      string // harmless and without path, never empty
	mediaType string // as declared
	contentID string
	content   []byte // decoded, exact
}

// viewer keeps the last mail taken apart: a page asks for the same mail many
// times over (preview, pictures, files), and one after the other bounds the
// memory that parsing takes.
type viewer struct {
	mu   sync.Mutex
	last *mail
	view *view
}

func (v *viewer) of(m *mail) *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last != m {
		v.last, v.view = m, newView(m.raw)
	}
	return v.view
}

// forget drops the kept mail, for when mails are deleted.
func (v *viewer) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.view = nil, nil
}

func newView(raw string) *view {
	root, err := parse(raw)
	if err != nil {
		return &view{err: err}
	}
	v := &view{}
	var text strings.Builder
	var leaves []*enmime.Part
	walk(root, func(p *enmime.Part) {
		switch {
		case isBody(p, "text/html") && v.html == "":
			v.html = string(p.Content)
		case isBody(p, "text/plain"):
			addText(&text, p.Content)
		default:
			leaves = append(leaves, p)
		}
	})
	v.text, v.textCut = cut(text.String(), maxText)
	v.files = newFiles(raw, leaves)
	return v
}

// parse reads the tree of parts, tolerating what can be.
func parse(raw string, options ...enmime.Option) (root *enmime.Part, err error) {
	if strings.Count(raw, "\n--") > maxDelimiters {
		return nil, errTooComplex
	}
	// The input is hostile and the parser not ours: a panic in it is a mail
	// that cannot be shown.
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, fmt.Errorf("read parts: parser failed: %v", r)
		}
	}()
	options = append(options,
		enmime.SkipMalformedParts(true),
		enmime.MultipartWOBoundaryAsSinglePart(true),
		enmime.MaxStoredPartErrors(20),
		enmime.SetCustomParseMediaType(new(typeParser).parse),
		enmime.SetReadPartErrorPolicy(func(*enmime.Part, error) bool { return true }),
	)
	root, err = enmime.NewParser(options...).ReadParts(strings.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read parts: %w", err)
	}
	return root, nil
}

// typeParser reads media types for one mail. It hides the boundary of any
// multipart past the last that is taken apart, which makes a file of it. This
// is the one place that sees a boundary however the header disguises it.
type typeParser struct{ asked int }

func (t *typeParser) parse(header string) (string, map[string]string, []string, error) {
	const opaque = "application/octet-stream"
	if len(header) > maxTypeBytes {
		return opaque, nil, nil, nil
	}
	mediaType, params, invalid, err := mediatype.Parse(header)
	if params["boundary"] == "" {
		return mediaType, params, invalid, err
	}
	// The parser asks twice for every multipart.
	if t.asked++; t.asked > 2*maxMultiparts {
		return opaque, nil, nil, nil
	}
	return mediaType, params, invalid, err
}

// walk visits the parts that hold content.
func walk(p *enmime.Part, visit func(*enmime.Part)) {
	for ; p != nil; p = p.NextSibling {
		if p.FirstChild != nil {
			walk(p.FirstChild, visit)
		} else if !strings.HasPrefix(p.ContentType, "multipart/") || p.Parent == nil {
			visit(p)
		}
	}
}

func isBody(p *enmime.Part, mediaType string) bool {
	declared := p.ContentType
	if declared == "" || p.Parent == nil && strings.HasPrefix(declared, "multipart/") {
		declared = "text/plain" // RFC 2045 section 5.2; or a multipart without parts
	}
	return declared == mediaType && p.Disposition != "attachment" && p.FileName == ""
}

// addText stops adding once there is more than is shown.
func addText(text *strings.Builder, content []byte) {
	if text.Len() > maxText {
		return
	}
	if text.Len() > 0 {
		text.WriteString("\n\n")
	}
	text.Write(content[:min(len(content), maxText+1)])
}

// cut shortens s to at most limit bytes, between runes.
func cut(s string, limit int) (string, bool) {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= limit {
		return s, false
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit], true
}

func newFiles(raw string, leaves []*enmime.Part) []file {
	exact := exactTexts(raw, leaves)
	files := make([]file, 0, len(leaves))
	for n, p := range leaves {
		f := file{
			n:         n,
			name:      fileName(cmp.Or(p.FileName, p.ContentID), n),
			mediaType: shown(p.ContentType),
			contentID: p.ContentID,
			content:   p.Content,
		}
		if content, ok := exact[p.PartID]; ok {
			f.content = content
		}
		files = append(files, f)
	}
	return files
}

// exactTexts gives the bytes of attached texts, by part. The parser turns
// every text into UTF-8; a file must come out as it went in.
func exactTexts(raw string, leaves []*enmime.Part) map[string][]byte {
	texts := make(map[string][]byte)
	for _, p := range leaves {
		if strings.HasPrefix(p.ContentType, "text/") {
			texts[p.PartID] = p.Content
		}
	}
	if len(texts) == 0 {
		return nil
	}
	root, err := parse(raw, enmime.RawContent(true))
	if err != nil {
		return texts
	}
	walk(root, func(p *enmime.Part) {
		if _, wanted := texts[p.PartID]; wanted {
			texts[p.PartID] = decode(p.Header.Get("Content-Transfer-Encoding"), p.Content)
		}
	})
	return texts
}

// decode undoes a transfer encoding as far as it goes.
func decode(encoding string, content []byte) []byte {
	var r io.Reader = bytes.NewReader(content)
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	default:
		return content
	}
	decoded, _ := io.ReadAll(r) // what was readable is all there is
	return decoded
}

// fileName makes a name that is only a name, for the page and for saving.
func fileName(declared string, n int) string {
	name := harmless(declared)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Trim(strings.NewReplacer(`"`, "'", ":", "_", "\ufffd", "_").Replace(name), ". ")
	if name == "" {
		return fmt.Sprintf("part-%d", n+1)
	}
	if runes := []rune(name); len(runes) > 120 {
		name = string(runes[:60]) + "…" + string(runes[len(runes)-59:]) // the ending says what it is
	}
	return name
}
