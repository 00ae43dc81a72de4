package partition

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/store"

	"github.com/postrider/postrider/bench/measure"
	"github.com/postrider/postrider/bench/result"
)

const turn = 3 * time.Second

// groups are how many mails a statement is about: a quiet hour, and a busy one.
func groups() []int { return []int{8, 64} }

// rounds lets both kinds of tables take turns; who is first changes.
func (e Experiment) rounds(ctx context.Context, days int, plain, parted *schema) error {
	kinds := []kind{{"plain", plain}, {"parted", parted}}
	for round := 1; round <= e.Rounds; round++ {
		for _, group := range groups() {
			for _, k := range kinds {
				if err := e.turn(ctx, k, days, group, round); err != nil {
					return fmt.Errorf("%s, groups of %d: %w", k.name, group, err)
				}
			}
		}
		slices.Reverse(kinds)
	}
	return e.compare(days)
}

// kind is one of the two that are compared.
type kind struct {
	name string
	*schema
}

// turn notes mails a second and what Postgres used for one. The first group is not
// counted: it finds connections without statements.
func (e Experiment) turn(ctx context.Context, k kind, days, group, round int) error {
	if err := send(ctx, k.store, group); err != nil {
		return err
	}
	before, err := measure.UsageOf(e.Bench.Servers)
	if err != nil {
		return err
	}
	mails, took, err := sendFor(ctx, k.store, group)
	if err != nil {
		return err
	}
	after, err := measure.UsageOf(e.Bench.Servers)
	if err != nil {
		return err
	}
	used := after.Since(before)["postgres"]
	e.note(result.Partitions(days, k.name, group, result.Rate), round, float64(mails)/took.Seconds())
	e.note(result.Partitions(days, k.name, group, result.CPU), round, float64(used.Microseconds())/1000/float64(mails))
	return nil
}

// sendFor sends groups for the length of a turn.
func sendFor(ctx context.Context, s *store.Store, group int) (mails int, took time.Duration, err error) {
	begun := time.Now()
	for ; took < turn; took = time.Since(begun) {
		if err := send(ctx, s, group); err != nil {
			return mails, took, err
		}
		mails += group
	}
	return mails, took, nil
}

func (e Experiment) note(measured string, round int, value float64) {
	e.Bench.Run.Note(System, measured, round, value)
}
