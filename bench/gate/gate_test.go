package gate_test

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/bench/gate"
	"github.com/postrider/postrider/bench/result"
)

var conditions = gate.Conditions{Mails: 20_000, Workers: 128}

// sample is a run of three rounds, of which the last is much slower for all.
func sample(allocs, cpu float64) *result.Run {
	run := &result.Run{Machine: map[string]string{"commit": "0123abc"}, Versions: map[string]string{"Go": "1.26.8"}}
	for round, pace := range []float64{1, 1.01, 2} {
		for measure, value := range map[string]float64{
			"sustained-64.allocs.producer": allocs, "sustained-64.alloc-bytes.producer": 100 * allocs,
			"sustained-64.allocs.consumer": 200, "sustained-64.alloc-bytes.consumer": 30_000,
			"sustained-64.transactions": 0.08,
			"sustained-64.cpu":          cpu * pace, "sustained-8.cpu": cpu * pace,
		} {
			run.Note("postrider", measure, round+1, value)
		}
		run.Note("river", "sustained-64.cpu", round+1, 0.5*pace)
		run.Note("river", "sustained-8.cpu", round+1, 0.5*pace)
	}
	return run
}

func verdicts(t *testing.T, run *result.Run, b *gate.Baseline) string {
	t.Helper()
	var text bytes.Buffer
	if err := gate.Write(&text, run, b, gate.Judge(run, b)); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestWhatIsAsBeforeIsHeld(t *testing.T) {
	b := gate.Accept(sample(100, 0.25), nil, conditions)
	run := sample(104, 0.27) // 4 % and 8 % more
	if text := verdicts(t, run, b); gate.Worse(gate.Judge(run, b)) || strings.Count(text, "held") != 7 {
		t.Error(text)
	}
}

func TestWhatIsWorseIsSaid(t *testing.T) {
	b := gate.Accept(sample(100, 0.25), nil, conditions)
	for what, run := range map[string]*result.Run{"objects a mail, producer": sample(106, 0.25), "CPU by 64 callers": sample(100, 0.29)} {
		text := verdicts(t, run, b)
		if !gate.Worse(gate.Judge(run, b)) {
			t.Errorf("%s: not worse\n%s", what, text)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, what) && !strings.HasSuffix(line, "worse\n") {
				t.Error(line)
			}
		}
	}
}

func TestWhatIsBetterIsSaidAndNoFailure(t *testing.T) {
	b := gate.Accept(sample(100, 0.25), nil, conditions)
	run := sample(80, 0.25)
	if text := verdicts(t, run, b); gate.Worse(gate.Judge(run, b)) || strings.Count(text, "better") != 2 {
		t.Error(text)
	}
}

func TestOtherMachinesSpeedDoesNotMatter(t *testing.T) {
	b := gate.Accept(sample(100, 0.25), nil, conditions)
	run := sample(100, 0.25)
	for i, s := range run.Samples {
		if strings.HasSuffix(s.Measure, ".cpu") {
			run.Samples[i].Value *= 3
		}
	}
	if gate.Worse(gate.Judge(run, b)) {
		t.Error(verdicts(t, run, b))
	}
}

func TestWhatOnlyOneOfThemHas(t *testing.T) {
	b := gate.Accept(sample(100, 0.25), nil, conditions)
	delete(b.Figures, "transactions")
	run := sample(100, 0.25)
	run.Samples = slices.DeleteFunc(run.Samples, func(s result.Sample) bool { return s.Measure != "sustained-64.allocs.consumer" })
	text := verdicts(t, run, b)
	if gate.Worse(gate.Judge(run, b)) || strings.Count(text, "not measured") != 6 {
		t.Error(text)
	}
	if gate.Measured(gate.Judge(&result.Run{}, b)) {
		t.Error("an empty run has figures")
	}
	if text := verdicts(t, sample(100, 0.25), b); !strings.Contains(text, "no baseline") {
		t.Error(text)
	}
}

func TestAnAcceptedBaselineKeepsTolerancesAndWhatWasNotMeasured(t *testing.T) {
	earlier := gate.Accept(sample(100, 0.25), nil, conditions)
	earlier.Figures["allocs-producer"] = gate.Bound{Value: 100, Tolerance: 0.5}
	run := sample(120, 0.25)
	run.Samples = nil
	run.Note("postrider", "sustained-64.allocs.producer", 1, 120)
	b := gate.Accept(run, earlier, conditions)
	if got := b.Figures["allocs-producer"]; got != (gate.Bound{Value: 120, Tolerance: 0.5}) {
		t.Errorf("%+v", got)
	}
	if b.Figures["cpu-64"] != earlier.Figures["cpu-64"] {
		t.Errorf("%+v", b.Figures)
	}
}

func TestABaselineComesBackAsItWasSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "baseline.json")
	if _, err := gate.Load(file); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	saved := gate.Accept(sample(100, 0.25), nil, conditions)
	if err := saved.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := gate.Load(file)
	if err != nil || !reflect.DeepEqual(loaded, saved) {
		t.Errorf("saved %+v, loaded %+v, %v", saved, loaded, err)
	}
}
