package message

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxContentType = 255
	maxContentID   = 128
	defaultName    = "attachment" // for an attachment without a filename
	octetStream    = "application/octet-stream"
)

func (v *validator) attachments(drafts []DraftAttachment) []Attachment {
	if len(drafts) > v.limits.Attachments {
		v.fault("/attachments", CodeTooLarge, fmt.Sprintf("has %d attachments, at most %d are allowed", len(drafts), v.limits.Attachments))
		return nil
	}
	var list []Attachment
	ids := map[string]bool{}
	for i := range drafts {
		at := Pointer("attachments", strconv.Itoa(i))
		a := v.attachment(at, &drafts[i])
		if a.ContentID != "" && ids[a.ContentID] {
			v.fault(at+"/content_id", CodeInvalidAttachment, "is the content_id of another attachment too")
		}
		ids[a.ContentID] = true
		list = append(list, a)
	}
	return list
}

func (v *validator) attachment(at string, d *DraftAttachment) Attachment {
	a := Attachment{Disposition: "attachment", Size: int64(len(d.Data)), SHA256: sha256.Sum256(d.Data), Data: d.Data}
	a.Filename = v.filename(at+"/filename", cmp.Or(d.Filename, v.path(at+"/path", d.Path)))
	a.ContentType = v.contentType(at+"/content_type", d.ContentType, a.Filename)
	if d.ContentID != "" {
		a.ContentID, a.Disposition = d.ContentID, "inline"
		if len(d.ContentID) > maxContentID || strings.ContainsFunc(d.ContentID, notContentID) {
			v.fault(at+"/content_id", CodeInvalidAttachment, fmt.Sprintf(
				"must be at most %d ASCII letters, digits or any of .@_+=- without < and >", maxContentID))
		}
	}
	return a
}

// filename keeps the last part of a path, as browsers do for uploads, and
// refuses what cannot be cleaned without guessing.
func (v *validator) filename(pointer, name string) string {
	if !v.plain(pointer, name) {
		return ""
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		v.fault(pointer, CodeInvalidAttachment, "must not contain line breaks or other control characters")
		return ""
	}
	name = baseName(name)
	switch {
	case name == "":
		return defaultName
	case name == "." || name == "..":
		v.fault(pointer, CodeInvalidAttachment, "must be the name of a file")
	case strings.ContainsFunc(name, deceives):
		v.fault(pointer, CodeInvalidAttachment, "must not contain invisible characters or ones that change the direction of text")
	case len(name) > v.limits.FilenameLength:
		v.fault(pointer, CodeInvalidAttachment, fmt.Sprintf("must be at most %d bytes", v.limits.FilenameLength))
	}
	return name
}

// baseName is the last part of a path, of this system or another.
func baseName(path string) string {
	return strings.TrimSpace(path[strings.LastIndexAny(path, `/\`)+1:])
}

// deceives is every character that makes a name look like another: a
// right-to-left override turns gpj.exe into exe.jpg. The joiners that Persian,
// Indic scripts and emoji are written with are let through.
func deceives(r rune) bool {
	if r == '\u200c' || r == '\u200d' {
		return false
	}
	return unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

func notContentID(r rune) bool {
	return !asciiLetterOrDigit(r) && (r == 0 || !strings.ContainsRune(".@_+=-", r))
}

// contentType returns the media type in its one written form, or by the
// filename where none was given.
//
// A part that is itself a mail, message/rfc822, may not be encoded on its way
// (RFC 2046, 5.2.1), so its bytes could not be kept: it travels as
// application/octet-stream and its name tells what it is. The other message
// types and multipart would make mail software look for structure in the file.
func (v *validator) contentType(pointer, s, filename string) string {
	if s == "" {
		return typeByName(filename)
	}
	kind, params, err := mime.ParseMediaType(s)
	top, sub, _ := strings.Cut(kind, "/")
	switch {
	case err != nil || len(s) > maxContentType || sub == "" || strings.Contains(kind, "*") || strings.ContainsFunc(s, unicode.IsControl):
		v.fault(pointer, CodeInvalidAttachment, "must be a media type such as image/png")
		return ""
	case kind == "message/rfc822" || kind == "message/global":
		return octetStream
	case top == "multipart" || top == "message":
		v.fault(pointer, CodeInvalidAttachment, "must not be "+top+"; use application/octet-stream")
		return ""
	}
	delete(params, "name") // the filename's older twin: one name for one file
	formatted := mime.FormatMediaType(kind, params)
	if formatted == "" || len(formatted) > maxContentType { // it can be longer than what was given
		v.fault(pointer, CodeInvalidAttachment, "must be a media type such as image/png")
	}
	return formatted
}
