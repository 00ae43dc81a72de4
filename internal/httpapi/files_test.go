package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/httpapi"
	"github.com/postrider/postrider/internal/message"
)

// withFiles posts an email with the files, and returns its id.
func (w *world) withFiles(files map[string][]byte) string {
	w.t.Helper()
	var list []string
	for _, name := range slices.Sorted(mapKeys(files)) {
		list = append(list, fmt.Sprintf(`{"filename":%q,"content":%q}`, name, base64.StdEncoding.EncodeToString(files[name])))
	}
	return w.post(`"attachments":[` + strings.Join(list, ",") + `]`)
}

func mapKeys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func randomBytes(t *testing.T, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

// fetch downloads from a link, without a key.
func (w *world) fetch(link string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", link, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send(r)
}

func TestAttachmentsOfASentMailAreListedAndDownloaded(t *testing.T) {
	w := newWorld(t)
	large := randomBytes(t, 600<<10)
	id := w.withFiles(map[string][]byte{"a.txt": []byte("hi"), "b.bin": large, "c.html": []byte("<script>"), "d": {}})
	w.post(`"attachments":[{"filename":"other.txt","content":"aGk="}]`)
	a := w.do("GET", "/v1/emails/"+id+"/attachments", "")
	a.want(t, 200, "")
	data := a.json["data"].([]any)
	if len(data) != 4 || a.json["has_more"] != false || a.text("object") != "list" {
		t.Fatalf("%s", a.body)
	}
	for i, want := range [][]byte{[]byte("hi"), large, []byte("<script>"), {}} {
		f := data[i].(map[string]any)
		got := w.do("GET", "/v1/emails/"+id+"/attachments/"+f["id"].(string), "")
		got.want(t, 200, "")
		if f["size"] != float64(len(want)) || got.text("id") != f["id"] || got.text("object") != "attachment" || f["object"] != nil {
			t.Errorf("file %d: %s", i, got.body)
		}
		if !strings.HasPrefix(got.text("download_url"), "http://"+w.addr+"/") {
			t.Errorf("link %s", got.text("download_url"))
		}
		file := w.fetch(got.text("download_url"))
		if file.want(t, 200, ""); !bytes.Equal(file.body, want) {
			t.Errorf("file %d: %d bytes came, want %d", i, len(file.body), len(want))
		}
		if d := file.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=") {
			t.Errorf("disposition %q", d)
		}
		if file.header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(file.header.Get("Content-Security-Policy"), "sandbox;") {
			t.Errorf("%v", file.header)
		}
	}
	if strings.Contains(strings.Join(w.log.all(), "\n"), "token") {
		t.Error("a token is in the log")
	}
}

func TestALinkIsGoodForOneFileAndOneHour(t *testing.T) {
	clock := time.Now()
	w := newWorld(t, func(p *plan) { p.now = func() time.Time { return clock } })
	id, other := w.withFiles(map[string][]byte{"a": []byte("a"), "b": []byte("b")}), w.withFiles(map[string][]byte{"c": []byte("c")})
	files := func(id string) (links []*url.URL) {
		for _, f := range w.do("GET", "/v1/emails/"+id+"/attachments", "").json["data"].([]any) {
			link, err := url.Parse(f.(map[string]any)["download_url"].(string))
			if err != nil {
				t.Fatal(err)
			}
			links = append(links, link)
		}
		return links
	}
	links, others := files(id), files(other)
	token := links[0].Query().Get("token")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{"", "x", token[:len(token)-1], token + "A", strings.Repeat("A", len(token))}
	for bit := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		bad = append(bad, base64.RawURLEncoding.EncodeToString(changed))
	}
	good := w.fetch(links[0].String())
	good.want(t, 200, "")
	var refusal string
	for _, token := range bad {
		link := *links[0]
		link.RawQuery = url.Values{"token": {token}}.Encode()
		a := w.fetch(link.String())
		if a.want(t, 404, "not_found"); refusal != "" && a.text("message") != refusal {
			t.Errorf("%q, and %q for another", refusal, a.text("message"))
		}
		refusal = a.text("message")
	}
	for _, place := range []*url.URL{links[1], others[0]} {
		link := *place
		link.RawQuery = links[0].RawQuery
		w.fetch(link.String()).want(t, 404, "not_found")
	}
	clock = clock.Add(59 * time.Minute)
	w.fetch(links[0].String()).want(t, 200, "")
	clock = clock.Add(time.Minute)
	if a := w.fetch(links[0].String()); a.status != 404 || a.text("message") != refusal {
		t.Errorf("after an hour: %d %s", a.status, a.body)
	}
}

func TestAttachmentsAreFoundOnlyWhereTheyAre(t *testing.T) {
	w := newWorld(t)
	id, without := w.withFiles(map[string][]byte{"a": []byte("a")}), w.post()
	list := w.do("GET", "/v1/emails/"+id+"/attachments", "")
	file := list.json["data"].([]any)[0].(map[string]any)["id"].(string)
	if a := w.do("GET", "/v1/emails/"+without+"/attachments", ""); a.status != 200 || !strings.Contains(string(a.body), `"data":[]`) {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{
		"/v1/emails/" + message.NewID().String() + "/attachments", "/v1/emails/x/attachments", "/v1/emails/" + id + "/attachments/x",
		"/v1/emails/" + id + "/attachments/" + id, "/v1/emails/" + without + "/attachments/" + file,
		"/v1/emails/" + id + "/attachments/00000000-0000-0000-0000-000000000000",
	} {
		w.do("GET", path, "").want(t, 404, "not_found")
	}
	for _, path := range []string{"/v1/emails/" + id + "/attachments", "/v1/emails/" + id + "/attachments/" + file} {
		w.do("GET", path, "", "Authorization", "Bearer "+keyB).want(t, 404, "not_found")
		w.do("GET", path, "", "Authorization", "-").want(t, 401, "missing_api_key")
	}
}

func TestAttachmentsGoByPages(t *testing.T) {
	w := newWorld(t)
	id := w.withFiles(map[string][]byte{"0": {}, "1": {}, "2": {}, "3": {}, "4": {}})
	path := "/v1/emails/" + id + "/attachments?"
	page := func(query string) (names string, more any, fileIDs []string) {
		a := w.do("GET", path+query, "")
		a.want(t, 200, "")
		for _, f := range a.json["data"].([]any) {
			names += f.(map[string]any)["filename"].(string)
			fileIDs = append(fileIDs, f.(map[string]any)["id"].(string))
		}
		return names, a.json["has_more"], fileIDs
	}
	_, _, all := page("")
	for query, want := range map[string]string{
		"limit=2": "01 true", "limit=5": "01234 false", "limit=2&after=" + all[1]: "23 true", "limit=2&after=" + all[2]: "34 false",
		"after=" + all[4]: " false", "limit=2&before=" + all[3]: "12 true", "before=" + all[2]: "01 false", "limit=9&before=" + all[0]: " false",
	} {
		if names, more, _ := page(query); fmt.Sprint(names, " ", more) != want {
			t.Errorf("%s: %s %v, want %s", query, names, more, want)
		}
	}
	for _, query := range []string{
		"limit=0", "limit=101", "limit=x", "after=x", "after=" + id, "before=" + id, "after=" + all[0] + "&before=" + all[1], "status=sent", "limit=1&limit=2",
	} {
		w.do("GET", path+query, "").want(t, 422, "validation_error")
	}
}

func TestLinksBeginAsCallersReachTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		public, want string
		headers      []string
	}{
		"by the request":         {"", "http://mail.example.com/v1/", []string{"Host", "mail.example.com"}},
		"behind a proxy":         {"", "https://mail.example.com/v1/", []string{"Host", "mail.example.com", "X-Forwarded-Proto", "https"}},
		"a proxy talks nonsense": {"", "http://mail.example.com/v1/", []string{"Host", "mail.example.com", "X-Forwarded-Proto", "javascript"}},
		"by the setting":         {"https://post.example.com/api", "https://post.example.com/api/v1/", []string{"Host", "mail.example.com", "X-Forwarded-Proto", "http"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(p *plan) { p.api.PublicURL = c.public })
			id := w.withFiles(map[string][]byte{"a": {}})
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.addr+"/v1/emails/"+id+"/attachments", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.headers[1]
			a := w.send(r, append([]string{"Authorization", "Bearer " + keyA}, c.headers[2:]...)...)
			if link := a.json["data"].([]any)[0].(map[string]any)["download_url"].(string); !strings.HasPrefix(link, c.want) {
				t.Errorf("link %s, want %s…", link, c.want)
			}
		})
	}
}

// broken is a file that ends in an error after some bytes.
type broken struct{ after int }

func (b broken) OpenAttachment(context.Context, int64, uuid.UUID, int) (message.Attachment, io.ReadCloser, error) {
	return message.Attachment{}, io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, b.after)), onFire{})), nil
}

type onFire struct{}

func (onFire) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestAFileThatCannotBeReadIsNeverTakenForWhole(t *testing.T) {
	for after, status := range map[int]int{0: 500, 100 << 10: 0} {
		w := newWorld(t, func(p *plan) {
			p.ports = func(ports httpapi.Ports) httpapi.Ports { ports.FileBytes = broken{after}; return ports }
		})
		id := w.withFiles(map[string][]byte{"a": make([]byte, 200<<10)})
		link := w.do("GET", "/v1/emails/"+id+"/attachments", "").json["data"].([]any)[0].(map[string]any)["download_url"].(string)
		response, err := w.client.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if status != 0 && response.StatusCode != status || status == 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %d, %v", after, response.StatusCode, err)
		}
		if !strings.Contains(strings.Join(w.log.all(), "\n"), "disk on fire") {
			t.Errorf("after %d bytes: the reason is not in the log", after)
		}
	}
}
