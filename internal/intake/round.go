package intake

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

const (
	// mostLooks bounds a round once some of its emails stay: they are asked about again
	// before long, however much comes behind them.
	mostLooks = 64
	// atOnce is how long reading may take that waits for nothing.
	atOnce = 5 * time.Millisecond
)

// round takes in until nothing is left, or nothing that can be taken in: it goes on past
// emails that stay. Where there are more of those than it goes past, the next round
// begins with the oldest all the same, and then goes on where this one ended. Its error
// is why some stay.
func (in *Intake) round(ctx context.Context) (taken int, err error) {
	r := reader{read: in.cfg.Read}
	var past uuid.UUID
	in.seen = uuid.Nil
	for looks := 0; looks < mostLooks && ctx.Err() == nil; {
		look, stay := in.cfg.Store.TakeIn(ctx, past, batch, r.ask)
		in.tell(look.Taken)
		taken += len(look.Taken)
		if look.Last == uuid.Nil { // the end, or the database is away
			in.past = uuid.Nil
			return taken, cmp.Or(stay, err)
		}
		in.seen = look.Last
		if stay != nil {
			past = look.Last
			if err == nil && bytes.Compare(in.past[:], past[:]) > 0 {
				past = in.past
			}
			err = cmp.Or(err, stay)
		}
		if err != nil {
			looks++
		}
	}
	in.past = past
	return taken, err
}

// glance takes in what has come behind all that was looked at, as far as its reading waits
// for nothing. What stays of it, or came with an older id, is the next round's.
func (in *Intake) glance(ctx context.Context) {
	r := reader{read: in.cfg.Read, late: true}
	for looks := 0; looks < mostLooks && ctx.Err() == nil; looks++ {
		look, stay := in.cfg.Store.TakeIn(ctx, in.seen, batch, r.ask)
		in.tell(look.Taken)
		if look.Last == uuid.Nil {
			return
		}
		if stay != nil {
			in.seen = look.Last
		}
	}
}

// reader asks what emails are. Once one has waited in vain, the others of the round get
// the time of those that wait for nothing: they would only wait for the same.
type reader struct {
	read Read
	late bool
}

func (r *reader) ask(ctx context.Context, e message.Enqueued) (message.Reading, error) {
	if r.late {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, atOnce)
		defer cancel()
	}
	reading, err := r.read(ctx, e)
	r.late = r.late || err != nil && ctx.Err() != nil
	return reading, err
}
