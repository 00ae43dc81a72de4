package render

import (
	"bytes"
	"mime"
	"mime/quotedprintable"
	"strings"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// composer collects a mail piece by piece. The first fault sticks.
type composer struct {
	id     uuid.UUID
	buf    bytes.Buffer
	pieces []piece
	err    error
}

func (c *composer) fail(field, fault string) {
	if c.err == nil {
		c.err = &badValue{field, fault}
	}
}

// cut ends the piece of text being written.
func (c *composer) cut() {
	if c.buf.Len() > 0 {
		c.pieces = append(c.pieces, piece{text: c.buf.Bytes()})
		c.buf = bytes.Buffer{}
	}
}

// entity writes its own header fields and then its content, without a line end
// that does not belong to it.
type entity func()

// body writes the content in the usual nesting: the files beside (mixed) the
// images belonging to (related) the choice of text and HTML (alternative). Each
// level is there only where it is needed.
func (c *composer) body(m *message.Message) error {
	texts, related, mixed := c.entities(m)
	root, kind := texts[0], ""
	if len(texts) > 1 {
		root, kind = c.multipart("alternative", "", texts), "multipart/alternative"
	}
	if len(related) > 0 {
		if kind == "" {
			kind = "text/html"
		}
		root = c.multipart("related", kind, append([]entity{root}, related...))
	}
	if len(mixed) > 0 {
		root = c.multipart("mixed", "", append([]entity{root}, mixed...))
	}
	root()
	if !bytes.HasSuffix(c.buf.Bytes(), []byte("\r\n")) {
		c.buf.WriteString("\r\n")
	}
	return c.err
}

func (c *composer) entities(m *message.Message) (texts, related, mixed []entity) {
	html := m.Content.HTML != ""
	if m.Content.Text != "" || !html {
		texts = append(texts, func() { c.textPart("plain", m.Content.Text) })
	}
	if html {
		texts = append(texts, func() { c.textPart("html", m.Content.HTML) })
	}
	for i := range m.Attachments {
		file := func() { c.file(&m.Attachments[i]) }
		// Only HTML can refer to an image; without it, images are files.
		if html && m.Attachments[i].ContentID != "" {
			related = append(related, file)
		} else {
			mixed = append(mixed, file)
		}
	}
	return texts, related, mixed
}

// multipart is an entity of several. Its boundary holds "=_", which neither
// quoted-printable nor base64 can, so no content ever meets it (RFC 2045, 6.7);
// the kinds keep nested boundaries apart.
func (c *composer) multipart(kind, rootType string, parts []entity) entity {
	return func() {
		boundary := "=_" + kind + "_" + strings.ReplaceAll(c.id.String(), "-", "")
		params := []string{"multipart/" + kind}
		if rootType != "" {
			params = append(params, `type="`+rootType+`"`) // RFC 2387, 3.1
		}
		c.params("Content-Type", append(params, `boundary="`+boundary+`"`))
		for _, part := range parts {
			c.buf.WriteString("\r\n--" + boundary + "\r\n")
			part()
		}
		c.buf.WriteString("\r\n--" + boundary + "--")
	}
}

// textPart writes text so that it arrives as it was, whatever hosts are on the
// way: line ends become CRLF, as MIME has it; a lone CR survives.
func (c *composer) textPart(subtype, text string) {
	text = canonical(text)
	encoding := "quoted-printable"
	if preferBase64(text) {
		encoding = "base64"
	}
	c.field("Content-Type", "text/"+subtype+"; charset=utf-8")
	c.field("Content-Transfer-Encoding", encoding)
	c.buf.WriteString("\r\n")
	if encoding == "base64" {
		_, _ = writeBase64(&c.buf, strings.NewReader(text), int64(len(text))) // a bytes.Buffer does not fail, nor does the text
		return
	}
	w := quotedprintable.NewWriter(&c.buf)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
}

// canonical ends every line with CRLF.
func canonical(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// preferBase64 picks the shorter encoding. A CR outside CRLF leaves no choice:
// the quoted-printable writer would make a line end of it.
func preferBase64(text string) bool {
	escaped := 0
	for i := range len(text) {
		switch b := text[i]; {
		case b == '\r' && (i+1 == len(text) || text[i+1] != '\n'):
			return true
		case b >= 0x7f || b == '=' || b < ' ' && b != '\r' && b != '\n' && b != '\t':
			escaped++
		}
	}
	return escaped > len(text)/6
}

// file writes an attachment; its bytes are encoded while the mail is written.
func (c *composer) file(a *message.Attachment) {
	c.check("filename", a.Filename)
	disposition := "attachment"
	if a.Disposition == "inline" || a.Disposition == "" && a.ContentID != "" {
		disposition = "inline"
	}
	c.params("Content-Type", []string{c.contentType(a)})
	c.field("Content-Transfer-Encoding", "base64")
	c.params("Content-Disposition", append([]string{disposition}, param("filename", a.Filename)...))
	if a.ContentID != "" {
		c.contentID(a.ContentID)
	}
	c.buf.WriteString("\r\n")
	if fileSize(a) > 0 {
		c.cut()
		c.pieces = append(c.pieces, piece{file: a})
	}
}

func (c *composer) contentID(id string) {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	if !isASCII(id) || strings.ContainsFunc(id, notInAddress) {
		c.fail("content_id", "holds characters that are not allowed")
	}
	c.field("Content-ID", "<"+id+">")
}

// contentType is the attachment's type with its parameters. What must not be
// in base64 (message/*, multipart/*: RFC 2045, 6.4) travels as plain bytes, or
// they would not arrive equal.
func (c *composer) contentType(a *message.Attachment) string {
	const plainBytes, maxContentType = "application/octet-stream", 255
	if a.ContentType == "" {
		return plainBytes
	}
	c.check("content_type", a.ContentType)
	kind, params, err := mime.ParseMediaType(a.ContentType)
	if err != nil || !strings.Contains(kind, "/") || len(a.ContentType) > maxContentType {
		c.fail("content_type", "is not a media type")
		return plainBytes
	}
	if strings.HasPrefix(kind, "message/") || strings.HasPrefix(kind, "multipart/") {
		return plainBytes
	}
	delete(params, "name")
	return mime.FormatMediaType(kind, params)
}
