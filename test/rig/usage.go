package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what a process has used of the machine.
type Usage struct {
	CPU time.Duration // since its start, in all threads
	RSS int64         // resident bytes
	FDs int           // open files and sockets
}

// clockTicks is the unit of /proc/PID/stat, 100 a second on every Linux that Go runs
// on.
const clockTicks = 100

var errProc = errors.New("unreadable")

// Usage reads /proc, as proc(5) describes it.
func (p *Process) Usage() (Usage, error) {
	base := fmt.Sprintf("/proc/%d/", p.PID())
	stat, err := os.ReadFile(base + "stat")
	if err != nil {
		return Usage{}, err
	}
	// The name, in parentheses, may hold blanks: fields are counted after it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("%sstat: %w", base, errProc)
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	pages, err3 := strconv.ParseInt(string(fields[21]), 10, 64)
	open, err4 := os.ReadDir(base + "fd")
	return Usage{
		CPU: time.Duration(user+system) * time.Second / clockTicks,
		RSS: pages * int64(os.Getpagesize()),
		FDs: len(open),
	}, errors.Join(err1, err2, err3, err4)
}
