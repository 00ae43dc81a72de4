package store_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/store"
	"github.com/postrider/postrider/internal/storetest"
)

// TestASessionKeepsItsHeap counts the pages that the server's process has to ask for
// again while one statement is repeated which takes more memory than glibc keeps by
// itself. It needs the server's processes on this machine, under their own numbers.
func TestASessionKeepsItsHeap(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{URL: storetest.Postgres(t), Worker: message.Process{ID: uuid.New()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	statement := `SELECT COUNT(*) FROM unnest(` + strings.Repeat(`'{1}'::int[],`, 10) + `'{1}'::int[])`
	const times = 200
	err = s.OnOneSession(t.Context(), func(ask func(string, ...any) error) error {
		var pid, n int
		if err := ask(`SELECT pg_backend_pid()`, &pid); err != nil {
			return err
		}
		before := 0
		for i := range 2 * times {
			if i == times { // the first fill caches
				before = pageFaults(t, pid)
			}
			if err := ask(statement, &n); err != nil {
				return err
			}
		}
		if faults := pageFaults(t, pid) - before; faults > times {
			t.Errorf("%d statements met %d page faults", times, faults)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// pageFaults is minflt of proc(5); 0 where the process is not one of this machine.
func pageFaults(t *testing.T, pid int) (n int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || !strings.Contains(string(stat), "(postgres)") {
		t.Log("the server's processes are not to be seen here: nothing is counted")
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if _, err := fmt.Sscan(strings.Fields(rest)[7], &n); err != nil {
		t.Fatal(err)
	}
	return n
}
