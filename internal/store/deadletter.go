package store

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	letterBodyLimit   = 64 << 10
	letterReasonLimit = 1000
)

// Bury keeps copies that could not be turned into work.
func (s *Store) Bury(ctx context.Context, letters []message.DeadLetter) error {
	return errors.Join(each(ctx, s, "bury", letters, func(ctx context.Context, t *txn, letters []message.DeadLetter) error {
		for _, letter := range letters {
			if err := t.bury(ctx, letter); err != nil {
				return err
			}
		}
		return nil
	})...)
}

func (t *txn) bury(ctx context.Context, letter message.DeadLetter) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	body := append([]byte{}, letter.Body[:min(len(letter.Body), letterBodyLimit)]...)
	_, err = t.exec(ctx, `INSERT INTO dead_letters (id, queue, reason, body, at) VALUES ($1, $2, $3, $4, `+t.clock()+`)`,
		id, clean(letter.Queue, hostLimit), clean(letter.Reason, letterReasonLimit), body)
	return err
}
