package postfix

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// guard ends Postfix where this process is killed. Pdeathsig does not: a process that
// changes its user, as the master does, loses it.
type guard struct {
	cmd  *exec.Cmd
	hold io.Closer
}

// watch waits for the end of its input, which is dismiss or the end of this process.
func watch(pid int) (*guard, error) {
	cmd := exec.Command("sh", "-c", `cat && kill "$0" 2>/dev/null`, strconv.Itoa(pid))
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("guard Postfix: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("guard Postfix: %w", err)
	}
	return &guard{cmd, hold}, nil
}

// dismiss is called when Postfix has ended, or is ending. A nil guard may be dismissed.
func (g *guard) dismiss() {
	if g == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.hold.Close()
	_ = g.cmd.Wait() // says that it was killed
}
