package postrider

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/test/rig"
)

// Work implements job.System: all consumers start at the same time. What serves works
// already.
func (s *System) Work(ctx context.Context) error {
	if s.cfg.Serve {
		return nil
	}
	known := s.stack.Of(rig.Consumer)
	all, ctx := errgroup.WithContext(ctx)
	for _, m := range known {
		all.Go(func() error {
			if err := s.stack.Start(m); err != nil {
				return err
			}
			return s.stack.Ready(ctx, m)
		})
	}
	for range s.cfg.Consumers - len(known) {
		all.Go(func() error {
			_, err := s.stack.Add(ctx, rig.Consumer)
			return err
		})
	}
	return all.Wait()
}

// Rest implements job.System.
func (s *System) Rest(ctx context.Context) error {
	return s.eachConsumer(func(p *rig.Process) error { return p.Stop(ctx) })
}

// Hold holds the consumers still; their connections stay.
func (s *System) Hold() error { return s.eachConsumer((*rig.Process).Pause) }

// Release lets them go on.
func (s *System) Release() error { return s.eachConsumer((*rig.Process).Resume) }

func (s *System) eachConsumer(do func(*rig.Process) error) error {
	var errs []error
	for _, m := range s.stack.Of(rig.Consumer) {
		errs = append(errs, do(m.Process()))
	}
	return errors.Join(errs...)
}
