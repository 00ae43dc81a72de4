package rabbitmq

import (
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func TestBodyIsAsDocumented(t *testing.T) {
	id := uuid.MustParse("01933d2e-7c3a-7000-8000-000000000001")
	ref := message.Ref{Key: message.Key{MessageID: id, N: 3}, Dispatch: 7}
	if got := string(encodeBody([]message.Ref{ref})); got != `{"items":[["01933d2e-7c3a-7000-8000-000000000001",3,7]]}` {
		t.Errorf("encoded: %s", got)
	}
}

func FuzzDecodeBody(f *testing.F) {
	f.Add([]byte(`{"items":[["01933d2e-7c3a-7000-8000-000000000001",3,7]]}`))
	f.Add([]byte(`{"items":[["01933d2e-7c3a-7000-8000-000000000001",3,7,{}],7],"x":{}}`))
	f.Add([]byte(`{"items":{}}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		refs, unreadable := decodeBody(body)
		if (len(refs) == 0) != (unreadable != "") {
			t.Fatalf("%d refs, unreadable %q", len(refs), unreadable)
		}
		for _, ref := range refs {
			if again, _ := decodeBody(encodeBody([]message.Ref{ref})); len(again) != 1 || again[0] != ref {
				t.Fatalf("%v came back as %v", ref, again)
			}
		}
	})
}
