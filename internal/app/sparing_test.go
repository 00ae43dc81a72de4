package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheLogDoesNotRepeatItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newSparing(slog.NewTextHandler(&out, nil)))
		wrote := func(n int, want string) {
			t.Helper()
			if got := strings.Count(out.String(), "\n"); got != n || !strings.Contains(out.String(), want) {
				t.Errorf("%d lines, want %d with %s:\n%s", got, n, want, &out)
			}
			out.Reset()
		}
		for port := range 600 {
			log.Warn("database away", "to", "claim", "error", errors.New("dial from "+string(rune('a'+port%26))))
			<-time.After(time.Millisecond)
		}
		wrote(1, "to=claim")
		log.Warn("database away", "to", "renew")
		log.With("lane", "low").Warn("database away", "to", "claim")
		log.Error("something else")
		wrote(3, "to=renew")
		<-time.After(sparePeriod)
		log.Warn("database away", "to", "claim")
		wrote(1, "repeated=599")
		<-time.After(sparePeriod)
		log.Warn("database away", "to", "claim")
		if strings.Contains(out.String(), "repeated") {
			t.Errorf("nothing was left out: %s", &out)
		}
	})
}

func TestWhatIsSaidOfOneMailIsNeverLeftOut(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newSparing(slog.NewTextHandler(&out, nil)))
	for range 10 {
		log.Warn("not sent", "message", "0198")
		log.With("message", "0199").Error("outcome refused")
		log.With("request_id", "r").Warn("refused")
		log.Info("sent")
	}
	if n := strings.Count(out.String(), "\n"); n != 40 {
		t.Errorf("%d of 40 lines", n)
	}
}

func TestTheLogsMemoryIsBounded(t *testing.T) {
	h := newSparing(slog.DiscardHandler).(*sparing)
	for n := range 3 * spareMost {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "other", 0)
		r.AddAttrs(slog.Int("queue", n))
		if err := h.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.said.lines); n > spareMost {
		t.Errorf("%d lines are remembered", n)
	}
}
