package wire

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

func TestRow47AttachmentContent(t *testing.T) {
	bad := map[string]string{
		`"!!!!"`: "", `"YQ"`: "", `"YQ="`: "", `"YQ==="`: "", `"YQ==YQ=="`: "", `"=YQ="`: "", `"YR=="`: "", `"_-8="`: "",
		`"YWFh\nYWFh"`: "", `"YWFh YWFh"`: "", `"data:text/plain;base64,YQ=="`: "", `5`: "", `true`: "", `null`: "",
		`[1,256]`: "/1", `[-1]`: "/0", `[1.0]`: "/0", `[1e2]`: "/0", `[-0]`: "/0", `["a"]`: "/0", `[1,[2],3]`: "/1", `[1000]`: "/0", `[null]`: "/0",
		`{}`: "", `{"type":"Buffer","data":"YQ=="}`: "/data", `{"type":"Blob","data":[1]}`: "", `{"type":"Buffer","data":[1,999]}`: "/data/1",
	}
	for content, at := range bad {
		code, got := faults(t, with(`"attachments":[{"filename":"a","content":`+content+`}]`))
		if want := []string{"/attachments/0/content" + at + " invalid_attachment"}; code != message.CodeValidation || !slices.Equal(got, want) {
			t.Errorf("%s: got %s %v, want %v", content, code, got, want)
		}
	}
	for content, want := range map[string]string{`""`: "", `"YQ=="`: "a", `"\u0059Q=="`: "a", `[]`: "", `[0,255]`: "\x00\xff", `"+\/8="`: "\xfb\xff"} {
		m, err := read(with(`"attachments":[{"content":` + content + `}]`))
		if err != nil || string(m.Attachments[0].Data) != want {
			t.Errorf("%s: got %v, %v", content, m, err)
		}
	}
}

func TestInlineContentIDIsTheOldName(t *testing.T) {
	m, err := read(with(`"attachments":[{"content":"","inline_content_id":"a","content_id":null}]`))
	if err != nil || m.Attachments[0].ContentID != "a" || m.Attachments[0].Disposition != "inline" {
		t.Errorf("got %+v, %v", m, err)
	}
	_, got := faults(t, with(`"attachments":[{"content":"","inline_content_id":"a","content_id":"b"}]`))
	if !slices.Equal(got, []string{"/attachments/0/content_id invalid_attachment"}) {
		t.Errorf("got %v", got)
	}
}
