package child

import (
	"context"
	"sync/atomic"

	"github.com/postrider/postrider/bench/job"
)

// Crew is the half of a job.System that works: it starts and stops the system's worker
// process. Systems embed it. Its methods are called one at a time, but for Accepting,
// which is safe for concurrent use.
type Crew struct {
	name     string
	where    job.Where
	servers  []string
	proc     *process // nil while at rest
	sum      int      // mails that processes before this one have delivered
	accepted atomic.Int64
}

// NewCrew is the crew of a system of that name, which stands on these shared servers.
func NewCrew(name string, where job.Where, servers ...string) *Crew {
	return &Crew{name: name, where: where, servers: servers}
}

// Name implements job.System.
func (c *Crew) Name() string { return c.name }

// Servers implements job.System.
func (c *Crew) Servers() []string { return c.servers }

// Work implements job.System.
func (c *Crew) Work(ctx context.Context) (err error) {
	c.proc, err = start(ctx, c.name, c.where)
	return err
}

// Rest implements job.System.
func (c *Crew) Rest(ctx context.Context) error {
	if c.proc == nil {
		return nil
	}
	count, err := c.proc.stop(ctx)
	c.proc, c.sum = nil, c.sum+count
	return err
}

// Delivered is the number of mails that the workers have reported by Parent.Delivered.
// It fails where the worker has fallen.
func (c *Crew) Delivered(ctx context.Context) (int, error) {
	if c.proc == nil {
		return c.sum, nil
	}
	count, err := c.proc.delivered(ctx)
	return c.sum + count, err
}

// Accepting counts a mail that is about to be accepted, for CountOpen. One whose Accept
// then fails stays open, since nobody knows what became of it.
func (c *Crew) Accepting() { c.accepted.Add(1) }

// CountOpen is the Open of systems that cannot be asked.
func (c *Crew) CountOpen(ctx context.Context) (int, error) {
	delivered, err := c.Delivered(ctx)
	return int(c.accepted.Load()) - delivered, err
}

// Processes implements job.System.
func (c *Crew) Processes() map[string]int {
	if c.proc == nil {
		return nil
	}
	return map[string]int{"worker": c.proc.cmd.Process.Pid}
}

// Dismiss ends the worker at once if it still runs.
func (c *Crew) Dismiss() {
	if c.proc != nil {
		c.proc.kill()
		c.proc = nil
	}
}
