package main

import (
	"context"
	"errors"
	"time"
)

func accessFigures() []experiment {
	const requires = " for 60 s: every mail accepted, every process says so, heals without a restart, all sent within 60 s after, lost 0, duplicated 0"
	return []experiment{
		{
			name: "permission-taken", requires: "permissions at the broker taken away" + requires, takes: 3 * time.Minute,
			run: brokerAway("permissions taken", time.Minute,
				andCut(ctl("clear_permissions", "guest")), ctl("set_permissions", "guest", ".*", ".*", ".*")),
		},
		{
			name: "password-changed", requires: "password at the broker changed" + requires, takes: 3 * time.Minute,
			run: brokerAway("password changed", time.Minute,
				andCut(ctl("change_password", "guest", "another")), ctl("change_password", "guest", "guest")),
		},
	}
}

// andCut closes all connections after a change: it concerns new ones only.
func andCut(change deed) deed {
	return func(s *stage, ctx context.Context) error {
		return errors.Join(change(s, ctx), s.closeConnections(ctx))
	}
}
