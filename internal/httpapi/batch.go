package httpapi

import (
	"net/http"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// validationHeader says what becomes of a batch of which some emails are not
// right; its name and values are Resend's.
const validationHeader = "X-Batch-Validation"

// postBatch answers 202 only when the emails are committed, all in one
// transaction.
func (a *api) postBatch(w http.ResponseWriter, r *http.Request) error {
	if r.URL.RawQuery != "" { // a ?dry_run that is passed over would send
		return fault(message.CodeValidation, "a batch takes no parameters in its URL, and cannot be tried out by dry_run")
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	permissive, err := permissiveBatch(r.Header)
	if err != nil {
		return err
	}
	body, err := a.batch.open(w, r)
	if err != nil {
		return err
	}
	defer body.close() // the drafts live in this memory until they are stored
	draft, err := wire.ReadBatch(body, permissive, a.limits, a.now())
	if err != nil {
		return body.cause(err)
	}
	draft.IdempotencyKey = key
	answer, err := a.Batches.AcceptBatch(r.Context(), grantOf(r), draft)
	if err != nil {
		return err
	}
	if answer.Replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return write(w, http.StatusAccepted, wire.NewBatchReceipt(&answer, permissive))
}

func permissiveBatch(h http.Header) (bool, error) {
	values := h.Values(validationHeader)
	switch {
	case len(values) == 0, len(values) == 1 && values[0] == "strict":
		return false, nil
	case len(values) == 1 && values[0] == "permissive":
		return true, nil
	}
	var faults message.Faults
	faults.Add(message.Pointer("x-batch-validation"), message.CodeInvalidField, "this header must be strict or permissive, given once")
	return false, faults.Err()
}
