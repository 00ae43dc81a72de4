package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnInterruptedCampaignGoesOnWhereItStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "record.jsonl")
	var made []string
	broken := errors.New("lost 1")
	fake := func(name string, err error) experiment {
		return experiment{name: name, requires: "lost 0", takes: time.Second, run: func(context.Context, *bench) (measurement, error) {
			made = append(made, name)
			return measurement{summary: "lost"}, err
		}}
	}
	all := []experiment{fake("one", nil), fake("two", broken), fake("three", nil)}
	tell := func(ctx context.Context, code string, all []experiment) (string, error) {
		made = nil
		rec, err := openRecord(file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c := &campaign{options: options{resume: true}, record: rec, out: &out, source: source{code: code}, dir: t.TempDir()}
		return out.String(), c.run(ctx, all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopping := fake("two", nil)
	stopping.run = func(context.Context, *bench) (measurement, error) { cancel(); return measurement{}, ctx.Err() }
	if _, err := tell(ctx, "x", []experiment{all[0], stopping, all[2]}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted, and %v", err)
	}
	if _, err := tell(t.Context(), "x", all); !errors.Is(err, errFailed) || strings.Join(made, " ") != "two three" {
		t.Errorf("went on with %v: %v", made, err)
	}
	if _, err := tell(t.Context(), "x", all); !errors.Is(err, errFailed) || strings.Join(made, " ") != "two" {
		t.Errorf("made %v again: %v", made, err)
	}
	if _, _ = tell(t.Context(), "y", all); strings.Join(made, " ") != "one two three" {
		t.Errorf("made %v of other code", made)
	}
}

func TestTheTableHasTheNewestWholeRowOfEach(t *testing.T) {
	rec, err := openRecord(filepath.Join(t.TempDir(), "record.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []row{
		{Name: "a", Form: formFull, Measured: "older", Pass: true},
		{Name: "a", Form: formFull, Measured: "lost | 0", Pass: true, Commit: "abc", Command: "make faults ONLY=a"},
		{Name: "a", Form: "phases of 1s", Measured: "shorter", Pass: true},
		{Name: "b", Form: "phases of 1s", Measured: "lost 1", Failure: "lost\n1"},
	} {
		if err := rec.add(one); err != nil {
			t.Fatal(err)
		}
	}
	if rec, err = openRecord(rec.file); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := rec.writeTable(&out, []experiment{{name: "a"}, {name: "b"}, {name: "c", requires: "c | d"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost \\| 0 | pass |", "`make faults ONLY=a`", "FAIL: lost 1 (phases of 1s)", "| c | c \\| d | not yet |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "shorter") || strings.Contains(out.String(), "older") {
		t.Errorf("not the newest whole row:\n%s", out.String())
	}
}

func TestExperimentsAreChosenByTheBeginningOfTheirName(t *testing.T) {
	all := []experiment{{name: "broker-killed"}, {name: "broker-killed-idle"}, {name: "queue-purged"}}
	for only, want := range map[string]int{"": 3, "broker": 2, "broker-killed": 1, "queue-purged,broker-k": 3, "broker,broker-killed": 2, "broker-killed-idle,broker-killed": 2} {
		if got, err := choose(all, only); len(got) != want || err != nil {
			t.Errorf("%q chose %d, %v", only, len(got), err)
		}
	}
	if _, err := choose(all, "nothing"); !errors.Is(err, errNoSuch) {
		t.Errorf("%v", err)
	}
}
