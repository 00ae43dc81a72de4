package wire

import "github.com/postrider/postrider/internal/message"

// BatchReceipt answers POST /v1/emails/batch.
type BatchReceipt struct {
	Data []BatchID `json:"data"` // the accepted emails, in the order of the request
	// Errors are the others; nil, and left out, unless the batch is permissive.
	Errors []message.Refusal `json:"errors,omitzero"`
}

// BatchID names one accepted email.
type BatchID struct {
	ID string `json:"id"`
}

// NewBatchReceipt shows what became of a batch.
func NewBatchReceipt(a *message.BatchAnswer, permissive bool) BatchReceipt {
	receipt := BatchReceipt{Data: make([]BatchID, len(a.IDs))}
	for i, id := range a.IDs {
		receipt.Data[i].ID = id.String()
	}
	if permissive {
		receipt.Errors = append([]message.Refusal{}, a.Refused...)
	}
	return receipt
}
