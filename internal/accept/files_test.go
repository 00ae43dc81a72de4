package accept_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/accept"
	"github.com/postrider/postrider/internal/message"
)

// shelf keeps what it is given, in order.
type shelf struct {
	mu   sync.Mutex
	kept [][]byte
	err  error
}

func (s *shelf) Keep(_ context.Context, tenant, size int64, data io.Reader) (message.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return message.Blob{}, s.err
	}
	text, err := io.ReadAll(data)
	s.kept = append(s.kept, text)
	return message.Blob{ID: uuid.New(), TenantID: tenant, Place: "shelf", Size: size}, err
}

// hosts answers URLs.
type hosts struct {
	mu    sync.Mutex
	files map[string]string
	asked []int64 // the limits
}

func (h *hosts) Fetch(_ context.Context, url string, limit int64) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, limit)
	file, ok := h.files[url]
	if !ok {
		return nil, &message.FetchError{Detail: "it is not there"}
	}
	return []byte(file), nil
}

// taking starts a service and returns what it commits.
func taking(t *testing.T, options ...accept.Option) (*accept.Service, func() []*message.Message) {
	t.Helper()
	var mu sync.Mutex
	var taken []*message.Message
	s := accept.New(storeFunc(func(ctx context.Context, subs []message.Submission) []message.Acceptance {
		mu.Lock()
		defer mu.Unlock()
		for _, sub := range subs {
			taken = append(taken, sub.Message)
		}
		return commitAll(ctx, subs)
	}), message.DefaultLimits(), func(message.Lane) {}, time.Now, options...)
	s.Start()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, func() []*message.Message {
		mu.Lock()
		defer mu.Unlock()
		return taken
	}
}

func withFiles(files ...message.DraftAttachment) *message.Draft {
	d := draft()
	d.Attachments = files
	return d
}

func TestWhatIsMoreThanAMessageCarriesIsKeptApart(t *testing.T) {
	place := &shelf{}
	s, taken := taking(t, accept.KeepApart(place))
	size := message.LargestInline / 2
	var files []message.DraftAttachment
	for n := range 4 {
		files = append(files, message.DraftAttachment{Filename: "f", Data: bytes.Repeat([]byte{byte(n)}, size+n%2)})
	}
	if _, err := s.Accept(t.Context(), message.Unrestricted(7), withFiles(files...), "", [32]byte{}); err != nil {
		t.Fatal(err)
	}
	apart, inline := 0, 0
	for i, a := range taken()[0].Attachments {
		if a.Size != int64(len(files[i].Data)) {
			t.Errorf("file %d has the size %d", i, a.Size)
		}
		if a.Blob.IsZero() {
			inline += len(a.Data)
			continue
		}
		if a.Data != nil || a.Blob.TenantID != 7 || a.Blob.Size != a.Size || !bytes.Equal(place.kept[apart], files[i].Data) {
			t.Errorf("file %d is kept as %+v", i, a.Blob)
		}
		apart++
	}
	if apart != 2 || inline > message.LargestInline {
		t.Errorf("%d files are apart, %d bytes are not", apart, inline)
	}
}

func TestSmallFilesTravelWithTheirMessage(t *testing.T) {
	place := &shelf{}
	s, taken := taking(t, accept.KeepApart(place))
	if _, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(message.DraftAttachment{Data: make([]byte, message.LargestInline)}), "", [32]byte{}); err != nil {
		t.Fatal(err)
	}
	if a := taken()[0].Attachments[0]; len(place.kept) != 0 || len(a.Data) != message.LargestInline {
		t.Errorf("%d files were kept apart", len(place.kept))
	}
}

func TestNothingIsCommittedWhoseFilesCannotBeKept(t *testing.T) {
	place := &shelf{err: message.ErrUnavailable}
	s, taken := taking(t, accept.KeepApart(place))
	_, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(message.DraftAttachment{Data: make([]byte, 1<<20)}), "", [32]byte{})
	if !errors.Is(err, message.ErrUnavailable) || len(taken()) != 0 {
		t.Errorf("%d messages, error %v", len(taken()), err)
	}
}

func TestFilesAreFetchedBeforeTheCommit(t *testing.T) {
	web := &hosts{files: map[string]string{"https://example.com/x/Rechnung%201.pdf?a=b": "%PDF", "http://example.com/": "root"}}
	s, taken := taking(t, accept.Fetch(web))
	d := withFiles(
		message.DraftAttachment{Path: "https://example.com/x/Rechnung%201.pdf?a=b"}, message.DraftAttachment{Filename: "b.txt", Path: "http://example.com/"},
		message.DraftAttachment{Path: "http://example.com/"}, message.DraftAttachment{Filename: "c", Data: []byte("c")},
	)
	if _, err := s.Accept(t.Context(), message.Unrestricted(1), d, "", [32]byte{}); err != nil {
		t.Fatal(err)
	}
	type file struct{ name, kind, data string }
	want := []file{
		{"Rechnung 1.pdf", "application/pdf", "%PDF"}, {"b.txt", "text/plain", "root"},
		{"attachment", "application/octet-stream", "root"}, {"c", "application/octet-stream", "c"},
	}
	for i, a := range taken()[0].Attachments {
		kind, _, _ := strings.Cut(a.ContentType, ";")
		if got := (file{a.Filename, kind, string(a.Data)}); got != want[i] || a.Size != int64(len(a.Data)) {
			t.Errorf("file %d is %+v", i, got)
		}
	}
	limit := int64(message.DefaultLimits().MessageBytes - len("hi") - len("hello") - len("c"))
	if web.asked[0] != limit || web.asked[1] != limit-4 || web.asked[2] != limit-8 {
		t.Errorf("limits %v", web.asked)
	}
	if d.Attachments[0].Data != nil {
		t.Error("the caller's draft was changed")
	}
}

func TestAFileThatDoesNotComeIsRefusedByItsPlace(t *testing.T) {
	s, taken := taking(t, accept.Fetch(&hosts{files: map[string]string{"https://a.example/": "x"}}))
	_, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(message.DraftAttachment{Path: "https://a.example/"}, message.DraftAttachment{Path: "https://b.example/"}), "", [32]byte{})
	var refused *message.Error
	if !errors.As(err, &refused) || len(refused.Fields) != 1 ||
		refused.Fields[0] != (message.FieldError{Pointer: "/attachments/1/path", Code: message.CodeInvalidAttachment, Detail: "it is not there"}) {
		t.Errorf("error %v", err)
	}
	if len(taken()) != 0 {
		t.Error("committed")
	}
}

func TestNothingIsFetchedForARequestThatIsWrongOtherwise(t *testing.T) {
	web := &hosts{}
	s, _ := taking(t, accept.Fetch(web))
	d := withFiles(message.DraftAttachment{Path: "https://a.example/"})
	d.To = []string{"nobody"}
	if _, err := s.Accept(t.Context(), message.Unrestricted(1), d, "", [32]byte{}); err == nil || len(web.asked) != 0 {
		t.Errorf("%d fetches, error %v", len(web.asked), err)
	}
}

func TestARepetitionFetchesAndKeepsNothing(t *testing.T) {
	web, place := &hosts{}, &shelf{}
	s, _ := taking(t, accept.Fetch(web), accept.KeepApart(place))
	for _, file := range []message.DraftAttachment{{Path: "https://a.example/"}, {Data: make([]byte, 1<<20)}} {
		a, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(file), "known", [32]byte{7})
		if err != nil || !a.Replayed || a.ID != uuid.Max {
			t.Errorf("answer %+v, error %v", a, err)
		}
	}
	if len(web.asked)+len(place.kept) != 0 {
		t.Errorf("%d fetches, %d blobs", len(web.asked), len(place.kept))
	}
}

func TestPathsAreRefusedWhereNothingIsFetched(t *testing.T) {
	s, _ := taking(t)
	_, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(message.DraftAttachment{Path: "https://a.example/"}), "", [32]byte{})
	var refused *message.Error
	if !errors.As(err, &refused) || refused.Fields[0].Code != message.CodeUnsupportedField || refused.Fields[0].Pointer != "/attachments/0/path" {
		t.Errorf("error %v", err)
	}
}

// slowHost answers when it is told to.
type slowHost struct {
	release chan struct{}
	answers string // at once, of this URL
}

func (h slowHost) Fetch(ctx context.Context, url string, _ int64) ([]byte, error) {
	if url == h.answers {
		return []byte("x"), nil
	}
	select {
	case <-h.release:
		return []byte("x"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A tenant whose URLs hang has its own messages wait, and nobody else's.
func TestHostsThatHangLeaveTheFilesOfOtherTenantsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := slowHost{release: make(chan struct{}), answers: "https://fast.example/"}
		s, _ := taking(t, accept.Fetch(host))
		post := func(tenant int64, url string) error {
			_, err := s.Accept(t.Context(), message.Unrestricted(tenant), withFiles(message.DraftAttachment{Path: url}), "", [32]byte{})
			return err
		}
		flood := func(tenant int64) {
			for range 30 {
				go func() { _ = post(tenant, "https://slow.example/") }() // what becomes of them is not asked
			}
		}
		flood(1)
		synctest.Wait()
		begun := time.Now()
		if err := post(2, "https://fast.example/"); err != nil || time.Since(begun) != 0 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		flood(3)
		synctest.Wait() // every turn is taken
		time.AfterFunc(time.Second, func() { host.release <- struct{}{} })
		if err := post(2, "https://fast.example/"); err != nil || time.Since(begun) != time.Second {
			t.Errorf("after %v, when the first turn was given back: %v", time.Since(begun), err)
		}
		close(host.release)
	})
}

func TestOnlySoManyMessagesHaveFilesFetchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := slowHost{release: make(chan struct{})}
		s := accept.New(storeFunc(commitAll), message.DefaultLimits(), func(message.Lane) {}, time.Now, accept.Fetch(host))
		s.Start()
		errs := make(chan error, 6)
		post := func() {
			_, err := s.Accept(t.Context(), message.Unrestricted(1), withFiles(message.DraftAttachment{Path: "https://a.example/"}), "", [32]byte{})
			errs <- err
		}
		for range 4 {
			go post()
		}
		synctest.Wait() // all four wait for the host
		go post()
		time.Sleep(16 * time.Second) // virtual
		var overloaded, late int
		for range 5 {
			var e *message.Error
			if err := <-errs; !errors.As(err, &e) {
				t.Errorf("error %v", err)
			} else if e.Code == message.CodeOverloaded {
				overloaded++
			} else {
				late++
			}
		}
		if overloaded != 1 || late != 4 {
			t.Errorf("%d were told to come back, %d that the host is late", overloaded, late)
		}
		close(host.release)
		post() // the places were given back
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A key pays for what is stored; files are fetched for nobody whose key is used up.
func TestAFileThatDoesNotComeIsNotCountedAgainstTheKey(t *testing.T) {
	by := &message.Grant{TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 1}}
	used := message.Admission{Err: &message.Error{Code: message.CodeDailyQuota}}
	for name, row := range map[string]struct {
		admission     message.Admission
		back, fetched int
	}{
		"admitted": {message.Admission{Recipients: 1}, 1, 1},
		"used up":  {used, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			web := &hosts{}
			g := &guardFunc{admit: func(*message.Message) message.Admission { return row.admission }}
			s, taken := taking(t, accept.Fetch(web), accept.WithGuard(g))
			if _, err := s.Accept(t.Context(), by, withFiles(message.DraftAttachment{Path: "https://a.example/"}), "", [32]byte{}); err == nil {
				t.Error("accepted")
			}
			if g.back != row.back || len(web.asked) != row.fetched || len(taken()) != 0 {
				t.Errorf("%d given back, %d fetched, %d stored", g.back, len(web.asked), len(taken()))
			}
		})
	}
}

// Where a file cannot be kept now, nothing was stored for certain: who repeats the
// request until it can does not use up the day's quota by that.
func TestAFileThatCannotBeKeptIsNotCountedAgainstTheKey(t *testing.T) {
	by := &message.Grant{TenantID: 1, KeyLimits: message.KeyLimits{Scope: message.ScopeSending, DailyQuota: 1}}
	large := withFiles(message.DraftAttachment{Filename: "f", Data: make([]byte, 1<<20)})
	g := &guardFunc{admit: func(*message.Message) message.Admission { return message.Admission{Recipients: 1} }}
	s, _ := taking(t, accept.KeepApart(&shelf{err: message.ErrUnavailable}), accept.WithGuard(g))
	if _, err := s.Accept(t.Context(), by, large, "", [32]byte{}); !errors.Is(err, message.ErrUnavailable) || g.back != 1 {
		t.Errorf("a message: %v, %d given back", err, g.back)
	}
	b := accept.NewBatches(batchFunc(commitBatch), s)
	if _, err := b.AcceptBatch(t.Context(), by, request(false, large)); !errors.Is(err, message.ErrUnavailable) || g.back != 2 {
		t.Errorf("a batch: %v, %d given back", err, g.back)
	}
}

// What the key was held to is what is stored: a template published while files are
// fetched changes nothing, and what it says counts for what they may be.
func TestATemplateIsRenderedOnceBesideFilesThatAreFetched(t *testing.T) {
	renders := 0
	templates := accept.WithTemplates(templateFunc(func(*message.TemplateUse) (message.Rendered, error) {
		renders++
		return message.Rendered{From: "t@example.com", TemplateText: message.TemplateText{Subject: "s", Text: strings.Repeat("x", renders)}}, nil
	}))
	web := &hosts{files: map[string]string{"https://a.example/f.txt": "file"}}
	d := templated()
	d.Attachments = []message.DraftAttachment{{Path: "https://a.example/f.txt"}}
	m, err := acceptOne(t, d, templates, accept.Fetch(web))
	if err != nil {
		t.Fatal(err)
	}
	if renders != 1 || m.Content.Text != "x" || string(m.Attachments[0].Data) != "file" || m.Head.Template == nil {
		t.Errorf("rendered %d times: %+v", renders, m)
	}
	if want := int64(message.DefaultLimits().MessageBytes - len("s") - len("x")); web.asked[0] != want {
		t.Errorf("the file may be %d bytes, want %d", web.asked[0], want)
	}
}
