package wire

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

func now() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

func read(body string) (*message.Message, error) {
	d, _, err := ReadEmail(strings.NewReader(body), message.DefaultLimits(), now())
	if err != nil {
		return nil, err
	}
	return message.DefaultLimits().Validate(d, now())
}

func faults(t *testing.T, body string) (message.Code, []string) {
	t.Helper()
	_, err := read(body)
	var e *message.Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200s: got %v, want a message.Error", body, err)
	}
	var list []string
	for _, f := range e.Fields {
		if f.Detail == "" {
			t.Errorf("%.200s: %s %s says nothing", body, f.Pointer, f.Code)
		}
		list = append(list, f.Pointer+" "+string(f.Code))
	}
	return e.Code, list
}

func with(members ...string) string {
	const good = `{"from":"a@example.com","to":"b@example.com","subject":"s","text":"t"`
	return strings.Join(append([]string{good}, members...), ",") + "}"
}
