package result_test

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/postrider/postrider/bench/result"
)

func TestARunComesBackAsItWasSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.json")
	saved := &result.Run{
		Begun: time.Date(2026, 11, 29, 9, 2, 0, 0, time.UTC), Took: time.Minute, Plan: "quick", Command: "make bench",
		Notes: map[string]string{"postfix": "has no state"}, Missing: []string{"watermill: not asked for"},
	}
	saved.Note("postrider", result.Drain(result.Rate), 1, 7012.5)
	if err := saved.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := result.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded, saved) {
		t.Errorf("saved %+v, loaded %+v", saved, loaded)
	}
}

func TestWhatIsNoNumberIsNotSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.json")
	var run result.Run
	run.Note("postrider", result.Drain(result.Rate), 1, math.Inf(1))
	if err := run.Save(file); err == nil {
		t.Error("saved")
	}
	if _, err := result.Load(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("loaded: %v", err)
	}
}
