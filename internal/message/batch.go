package message

import "github.com/google/uuid"

// BatchDraft is what a caller asks for by one request with several emails.
type BatchDraft struct {
	Items []BatchItem // 1 to Limits.BatchMessages, in the caller's order
	// Permissive accepts the emails that are right and reports the others;
	// otherwise one fault refuses all.
	Permissive bool
	// IdempotencyKey covers the whole batch; "": none was given.
	IdempotencyKey string
	// Hash tells a repetition from another request. No single email has it.
	Hash [32]byte
}

// BatchItem is one email of a batch: a draft, or why it could not be read. The
// pointers of Err begin at the email.
type BatchItem struct {
	Draft *Draft
	Err   *Error
}

// Batch is valid messages on their way into the store, all or none of them.
type Batch struct {
	// ID is what the idempotency key stands for. It is no message's.
	ID             uuid.UUID
	TenantID       int64
	Messages       []*Message // may be empty, where every email was refused
	Refused        []Refusal
	IdempotencyKey string // "": none was given
	Hash           [32]byte
}

// BatchAnswer is what became of a batch, and what its repetition is told.
type BatchAnswer struct {
	IDs      []uuid.UUID // of the accepted messages, in the caller's order
	Refused  []Refusal   // by index
	Replayed bool        // an earlier request with this key came to it
}

// Refusal is an email of a permissive batch that was not accepted.
type Refusal struct {
	Index   int    `json:"index"`   // in the batch, from 0
	Message string `json:"message"` // names every fault; at most 1 kB
}

// Answer is what a batch comes to that is stored now.
func (b *Batch) Answer() BatchAnswer {
	answer := BatchAnswer{Refused: b.Refused}
	for _, m := range b.Messages {
		answer.IDs = append(answer.IDs, m.ID)
	}
	return answer
}

const maxRefusal = 1000 // bytes

// Refuse says in one string what is wrong with the email at the index.
func Refuse(index int, e *Error) Refusal {
	text := ""
	for _, f := range e.Fields {
		if len(text) > maxRefusal {
			break
		}
		if text != "" {
			text += "; "
		}
		if f.Pointer != "" {
			text += f.Pointer + ": "
		}
		text += f.Detail
	}
	if text == "" {
		text = e.Detail
	}
	return Refusal{Index: index, Message: cut(text, maxRefusal)}
}
