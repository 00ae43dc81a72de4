package measure

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is CPU time by part, as proc(5) counts it.
type Usage map[string]time.Duration

// Since is what was used after an earlier look; parts that are new count whole.
func (u Usage) Since(before Usage) Usage {
	used := Usage{}
	for part, now := range u {
		used[part] = now - before[part]
	}
	return used
}

// Total is the sum over all parts.
func (u Usage) Total() time.Duration {
	var sum time.Duration
	for used := range maps.Values(u) {
		sum += used
	}
	return sum
}

// clockTicks is the unit of /proc/PID/stat, 100 a second on every Linux that Go runs
// on.
const clockTicks = 100

// process is a line of /proc/PID/stat.
type process struct {
	parent int
	own    time.Duration
	reaped time.Duration // of children that have ended and were waited for
}

// processes reads every process of the machine. One that ends meanwhile is left out.
func processes() (map[int]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := make(map[int]process, len(files))
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if p, err := readProcess(file); err == nil {
			all[pid] = p
		}
	}
	return all, nil
}

func readProcess(file string) (process, error) {
	stat, err := os.ReadFile(file)
	if err != nil {
		return process{}, err
	}
	// The name, in parentheses, may hold blanks: fields are counted after it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return process{}, fmt.Errorf("%s: unreadable", file)
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64) // the kernel writes nothing but numbers there
		return n
	}
	spent := func(ticks int64) time.Duration { return time.Duration(ticks) * time.Second / clockTicks }
	return process{
		parent: int(number(1)),
		own:    spent(number(11) + number(12)),
		reaped: spent(number(13) + number(14)),
	}, nil
}

// UsageOf is the CPU time of each part's process and of all its descendants, so far.
func UsageOf(parts map[string]int) (Usage, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	owner := map[int]string{}
	for part, pid := range parts {
		owner[pid] = part
	}
	usage := Usage{}
	for part := range parts {
		usage[part] = 0
	}
	for pid, p := range all {
		if part, found := partOf(pid, all, owner); found {
			usage[part] += p.own
			if pid != os.Getpid() { // whose ended children were parts themselves
				usage[part] += p.reaped
			}
		}
	}
	return usage, nil
}

// partOf climbs from a process to the nearest one that is a part.
func partOf(pid int, all map[int]process, owner map[int]string) (string, bool) {
	for pid > 1 {
		if part, found := owner[pid]; found {
			return part, true
		}
		pid = all[pid].parent
	}
	return "", false
}

// mostMemory is the most resident memory that a process ever had, in bytes; 0 of one
// that is gone.
func mostMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kibi int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kibi); n == 1 {
			return kibi << 10
		}
	}
	return 0
}
