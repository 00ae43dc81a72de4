package postrider

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/postrider/postrider/bench/result"
)

// Counters implements measure.Counting: what all processes of a program together have
// taken from the heap since they began, and the writing transactions of all of
// Postgres. Those are counted by their ids, since Postgres adds up what each of its
// processes did only seconds later.
func (s *System) Counters(ctx context.Context) (map[string]float64, error) {
	counters := map[string]float64{}
	for _, m := range s.stack.Members() {
		if p := m.Process(); p == nil || p.Exited() {
			continue
		}
		allocs, bytes, err := heap(ctx, m.Metrics)
		if err != nil {
			return nil, fmt.Errorf("ask %s for its metrics: %w", m.Name, err)
		}
		counters[result.Allocs+m.Program] += allocs
		counters[result.AllocBytes+m.Program] += bytes
	}
	return counters, s.database(ctx, counters)
}

// database adds what Postgres counts. The log is that of all its databases.
func (s *System) database(ctx context.Context, counters map[string]float64) error {
	var transactions, log, tables float64
	err := s.stack.DB().QueryRowContext(ctx, `
		SELECT pg_snapshot_xmax(pg_current_snapshot())::text, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),
			(SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind='r' AND relnamespace=current_schema()::regnamespace)`,
	).Scan(&transactions, &log, &tables)
	if err != nil {
		return fmt.Errorf("count transactions and bytes: %w", err)
	}
	counters[result.Transactions], counters[result.LogBytes], counters[result.TableBytes] = transactions, log, tables
	return nil
}

// heap is how many objects and bytes a process has taken from its heap.
func heap(ctx context.Context, url string) (allocs, bytes float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, "go_memstats_") {
			found[name], _ = strconv.ParseFloat(value, 64) // Prometheus writes nothing else there
		}
	}
	allocs, bytes = found["go_memstats_mallocs_total"], found["go_memstats_alloc_bytes_total"]
	if err := lines.Err(); err != nil {
		return 0, 0, err
	}
	if allocs == 0 || bytes == 0 {
		return 0, 0, fmt.Errorf("%s: they say nothing of the heap", res.Status)
	}
	return allocs, bytes, nil
}
