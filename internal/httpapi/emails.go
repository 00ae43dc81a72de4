package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// postEmail answers 202 only when the message is committed.
func (a *api) postEmail(w http.ResponseWriter, r *http.Request) error {
	dry, err := dryRun(r.URL.RawQuery)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	body, err := a.intake.open(w, r)
	if err != nil {
		return err
	}
	defer body.close() // the draft lives in this memory until it is stored
	draft, hash, err := wire.ReadEmail(body, a.limits, a.now())
	if err != nil {
		return body.cause(err)
	}
	if dry {
		return a.tryOut(w, r, draft)
	}
	accepted, err := a.Accept.Accept(r.Context(), grantOf(r), draft, key, hash)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/emails/"+accepted.ID.String())
	if accepted.Replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	// Not by the clock: a repetition gets the words of the first answer.
	status := message.StatusQueued
	if !accepted.ScheduledAt.IsZero() {
		status = message.StatusScheduled
	}
	return write(w, http.StatusAccepted, wire.Receipt{Object: "email", ID: accepted.ID.String(), Status: status})
}

func (a *api) getEmail(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	view, err := a.Emails.Email(r.Context(), tenantOf(r), id)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire.NewEmail(&view))
}

func (a *api) listEmails(w http.ResponseWriter, r *http.Request) error {
	filter, err := a.listFilter(r)
	if err != nil {
		return err
	}
	page, err := a.Emails.Emails(r.Context(), filter)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, wire.NewList(&page))
}

// patchEmail moves the recipients that still wait to another time.
func (a *api) patchEmail(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	body, err := a.intake.open(w, r)
	if err != nil {
		return err
	}
	defer body.close()
	at, err := wire.DecodeReschedule(body, a.limits, a.now())
	if err != nil {
		return body.cause(err)
	}
	n, err := a.Schedule.Reschedule(r.Context(), tenantOf(r), id, at)
	if err == nil && n == 0 {
		err = fault(message.CodeNotCancelable, "every recipient is being sent to, or has been dealt with")
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, changed{Object: "email", ID: id, Recipients: n})
}

func (a *api) cancelEmail(w http.ResponseWriter, r *http.Request) error {
	return change(w, r, a.Emails.Cancel,
		fault(message.CodeNotCancelable, "every recipient has been dealt with, or is at the point of no return"))
}

func (a *api) retryEmail(w http.ResponseWriter, r *http.Request) error {
	return change(w, r, a.Emails.Retry,
		fault(message.CodeNotRetryable, "only recipients that are failed, unknown or canceled can be tried again"))
}

// changed answers a call that acts on those recipients that it still can.
type changed struct {
	Object     string    `json:"object"`
	ID         uuid.UUID `json:"id"`
	Recipients int       `json:"recipients"` // how many it acted on
}

// change runs a step that takes no body; whatever body comes is not read.
func change(w http.ResponseWriter, r *http.Request, step func(context.Context, int64, uuid.UUID) (int, error), none error) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	n, err := step(r.Context(), tenantOf(r), id)
	if err != nil {
		return err
	}
	if n == 0 {
		return none
	}
	return write(w, http.StatusOK, changed{Object: "email", ID: id, Recipients: n})
}

// write answers with v. It is made whole first, so that a value that cannot be
// written becomes an error instead of half an answer.
func write(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the peer may be gone; there is nobody to tell
	return nil
}
