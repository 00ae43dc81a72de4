package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5"

	"github.com/postrider/postrider/internal/message"
)

func TestARingWhileNobodyWaitsIsKept(t *testing.T) {
	b := newBell()
	b.ring(lanes{message.LaneLow})
	b.ring(lanes{message.LaneLow, message.LaneHigh})
	of, err := b.wait(t.Context())
	if err != nil || !slices.Equal(of, lanes{message.LaneLow, message.LaneHigh}) {
		t.Errorf("kept %v, %v", of, err)
	}
}

func TestAllWhoWaitHearARing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		heard := make(chan lanes, 2)
		for range cap(heard) {
			go func() {
				of, _ := b.wait(t.Context())
				heard <- of
			}()
		}
		synctest.Wait()
		b.ring(lanes{message.LaneHigh})
		synctest.Wait()
		if len(heard) != 2 {
			t.Fatalf("%d of 2 heard it", len(heard))
		}
		for range cap(heard) {
			if of := <-heard; !slices.Equal(of, lanes{message.LaneHigh}) {
				t.Errorf("heard of %v", of)
			}
		}
	})
}

func TestARingIsNotHeardByThoseWhoLeft(t *testing.T) {
	b := newBell()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	b.ring(lanes{message.LaneLow})
	if of, err := b.wait(t.Context()); err != nil || !slices.Equal(of, lanes{message.LaneLow}) {
		t.Errorf("kept %v, %v", of, err)
	}
}

// What one version says, every other must make something of: that without lanes
// means all of them, and lanes of a later version are passed on.
func TestNewsOfOtherVersions(t *testing.T) {
	b := newPostgresBell(&pgx.ConnConfig{}, slog.New(slog.DiscardHandler))
	other := newPostgresBell(&pgx.ConnConfig{}, slog.New(slog.DiscardHandler))
	for payload, want := range map[string]lanes{
		"":      message.Lanes(),
		"a b c": {"b", "c"},
		"alone": message.Lanes(),
		other.payload(lanes{message.LaneLow, message.LaneHigh}): {message.LaneLow, message.LaneHigh},
		b.payload(lanes{message.LaneLow}):                       nil,
	} {
		if of := b.news(payload); !slices.Equal(of, want) {
			t.Errorf("%q is news of %v, want %v", payload, of, want)
		}
	}
}
