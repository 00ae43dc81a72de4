package rabbitmq

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// maxBody is the longest body that is read or kept: some hundred items, many
// more than are ever put into one copy.
const maxBody = 64 << 10

// encodeBody is {"items":[["<message id>",n,dispatch]]}. Processes of different
// versions share the queues, so fields may be added, also to an item's end, but
// none ever changes its meaning.
func encodeBody(refs []message.Ref) []byte {
	body := []byte(`{"items":[`)
	for i, ref := range refs {
		body = fmt.Appendf(body, `%s["%s",%d,%d]`, ","[:min(i, 1)], ref.MessageID, ref.N, ref.Dispatch)
	}
	return append(body, "]}"...)
}

// decodeBody reads the items it understands and says why when there are none.
func decodeBody(body []byte) (refs []message.Ref, unreadable string) {
	if len(body) > maxBody {
		return nil, fmt.Sprintf("the body has %d bytes, more than %d", len(body), maxBody)
	}
	var envelope struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, "the body is not the JSON of a copy: " + err.Error()
	}
	for _, item := range envelope.Items {
		if ref, ok := decodeItem(item); ok {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil, fmt.Sprintf("none of %d items can be read", len(envelope.Items))
	}
	return refs, ""
}

func decodeItem(item json.RawMessage) (message.Ref, bool) {
	var (
		parts       []json.RawMessage
		id          uuid.UUID
		n, dispatch int64
	)
	if json.Unmarshal(item, &parts) != nil || len(parts) < 3 ||
		json.Unmarshal(parts[0], &id) != nil || json.Unmarshal(parts[1], &n) != nil || json.Unmarshal(parts[2], &dispatch) != nil {
		return message.Ref{}, false
	}
	if n < 0 || n > math.MaxInt16 || dispatch < 1 || dispatch > math.MaxInt32 {
		return message.Ref{}, false
	}
	return message.Ref{Key: message.Key{MessageID: id, N: int16(n)}, Dispatch: int32(dispatch)}, true
}
