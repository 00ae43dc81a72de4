package rabbitmq

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The library closes the channel of alarms with the connection.
func TestALostConnectionIsNoEndOfAnAlarm(t *testing.T) {
	var told bytes.Buffer
	for range 100 { // select chooses freely
		s := &session{
			closed: make(chan *amqp.Error, 1), blocks: make(chan amqp.Blocking), alarm: newAlarm(), missing: make(chan struct{}, 1),
		}
		s.faults.Store(&map[string]*TopologyError{})
		s.alarm.set(amqp.Blocking{Active: true, Reason: "low on disk"})
		s.closed <- amqp.ErrClosed
		close(s.blocks)
		l := &link{log: slog.New(slog.NewTextHandler(&told, nil)), changed: make(chan struct{})}
		if err := l.watch(t.Context(), s); err == nil {
			t.Fatal("no error")
		}
	}
	if n := strings.Count(told.String(), "takes messages again"); n > 0 {
		t.Errorf("told %d times that the broker takes messages again", n)
	}
}
