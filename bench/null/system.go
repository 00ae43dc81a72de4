package null

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/test/rig"

	"github.com/postrider/postrider/bench/postrider"
)

// System is Postrider whose consumers are this program's own. It implements
// job.System and measure.Recording; its mails come to no sink.
type System struct {
	*postrider.System
}

// New returns one that does not run yet.
func New(c postrider.Config) (*System, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c.Launch = func(m *rig.Member, cmd *rig.Command) {
		if m.Program == rig.Consumer {
			cmd.Path, cmd.Args = self, []string{Command}
		}
	}
	return &System{postrider.New(c)}, nil
}

// Recorded implements measure.Recording, by the clock of Postgres, which is this
// machine's.
func (s *System) Recorded(ctx context.Context) (mails int, last time.Time, err error) {
	var millis int64
	err = s.Stack().DB().QueryRowContext(ctx, `SELECT count(*), coalesce(max(finished_at), 0) FROM deliveries WHERE status = $1`,
		message.StatusSent).Scan(&mails, &millis)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count recorded mails: %w", err)
	}
	return mails, time.UnixMilli(millis), nil
}
