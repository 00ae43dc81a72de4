package store

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

// broken is a transaction whose rows cannot be read any more: its context ended while
// the result stood at one of them.
type broken struct{ transaction }

func (b broken) run(_ context.Context, commands []command, _ bool) error { return commands[0].scan(b) }

func (broken) Scan(...any) error { return context.Canceled }

func TestAnAttachmentThatCannotBeReadIsAnError(t *testing.T) {
	s := &Store{dialect: &dialect{list: sqliteList}}
	id := uuid.New()
	err := (&txn{Store: s, under: broken{}}).attachments(t.Context(), map[uuid.UUID]*message.Message{id: {ID: id}}, false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
