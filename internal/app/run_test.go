package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
)

func TestEffectiveSettingsAreLoggedTheGivenOnesFirst(t *testing.T) {
	t.Setenv("POSTRIDER_LISTEN", "127.0.0.1:4711")
	t.Setenv("POSTRIDER_API_KEYS", "hunter2")
	var cfg config.Dev
	if err := config.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	var text, json bytes.Buffer
	announce(slog.New(forPeople(&text, slog.LevelInfo, false)), Build{Program: "postrider", Version: "1"}, cfg.Effective())
	announce(slog.New(forMachines(&json, slog.LevelInfo)), Build{Program: "postrider", Version: "1"}, cfg.Effective())
	_, line, _ := strings.Cut(strings.TrimSpace(text.String()), " ")
	const want = `INF starting program=postrider version=1 POSTRIDER_API_KEYS=default:xxxxx POSTRIDER_LISTEN=127.0.0.1:4711 defaults="`
	if !strings.HasPrefix(line, want) || !strings.Contains(line, " LEASE=20s ") {
		t.Errorf("people see %q, want %q", line, want)
	}
	for _, want := range []string{`"config":{"POSTRIDER_API_KEYS":"default:xxxxx"`, `"POSTRIDER_LISTEN":"127.0.0.1:4711"`, `"POSTRIDER_LEASE":"20s"`} {
		if !strings.Contains(json.String(), want) {
			t.Errorf("%s is not in %s", want, json.String())
		}
	}
}

func TestLinesForPeople(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(forPeople(&out, slog.LevelInfo, true))
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"microseconds":         {893238 * time.Nanosecond, "893.24µs"},
		"milliseconds":         {6569485 * time.Nanosecond, "6.57ms"},
		"a minute":             {90*time.Second + 1234567, "1m30s"},
		"nothing":              {time.Duration(0), "0s"},
		"an escape":            {"\x1b]0;mine\a", `"\\x1B]0;mine\a"`},
		"an escape in letters": {`say "\x1b[2J"`, `\\x1B[2J`},
		"an error":             {errors.New("550 \x1b[31mno"), `"550 \\x1B[31mno"`},
	} {
		out.Reset()
		log.Info("line", "value", c.value)
		_, shown, _ := strings.Cut(out.String(), "value=")
		if !strings.Contains(shown, c.want) || strings.Count(shown, "\x1b") != 1 { // the one that ends the color of the key
			t.Errorf("%s: %q, want %q", name, shown, c.want)
		}
	}
}

func TestMachinesSeeDurationsWithTheirUnits(t *testing.T) {
	var out bytes.Buffer
	slog.New(forMachines(&out, slog.LevelInfo)).Info("line", "took", 6569485*time.Nanosecond)
	if !strings.Contains(out.String(), `"took":"6.569485ms"`) {
		t.Error(out.String())
	}
}
