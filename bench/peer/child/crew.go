package child

import (
	"context"

	"github.com/postrider/postrider/bench/job"
)

// Crew is the half of a job.System that works: it starts and stops the system's worker
// process. Systems embed it. Its methods are called one at a time.
type Crew struct {
	name  string
	where job.Where
	proc  *process // nil while at rest
	sum   int      // mails that processes before this one have delivered
}

// NewCrew is the crew of a system of that name.
func NewCrew(name string, where job.Where) *Crew { return &Crew{name: name, where: where} }

// Name implements job.System.
func (c *Crew) Name() string { return c.name }

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
