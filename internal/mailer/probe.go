package mailer

import (
	"context"
	"time"
)

// Probe asks the relay host whether it takes mail. It opens a session as for a
// mail, up to and including AUTH, and takes leave; where the host admits no
// more, it asks over one of those there are. An error is a *message.SendError.
func (m *Mailer) Probe(ctx context.Context) error {
	if !m.enter() {
		return m.broken(ctx, stageConnect, ErrStopped)
	}
	defer m.work.Done()
	ctx, release := m.within(ctx)
	defer release()
	until := time.Now().Add(m.cfg.DialTimeout)
	// A new one where one is admitted: after a fault of the host's, or of the
	// network's, all that are kept may be dead.
	s, err := m.session(ctx, until, m.pool.try())
	for err == nil && s.kept && !s.answers(ctx, until) {
		s.drop()
		if !m.pool.reopen() {
			return m.broken(ctx, stageConnect, ErrStopped)
		}
		s, err = m.session(ctx, until, true)
	}
	if err != nil {
		return err
	}
	if !s.kept {
		s.quit()
	}
	m.giveBack(s)
	return nil
}

// answers asks over a kept session whether the host still does. RSET also
// leaves no trace of a mail that was refused.
func (s *session) answers(ctx context.Context, until time.Time) bool {
	if limit := time.Now().Add(quitTime); until.After(limit) {
		until = limit
	}
	release := s.conn.closeWith(ctx)
	_ = s.conn.SetDeadline(until)
	s.fit = s.reader().Buffered() == 0 && s.write("RSET\r\n") == nil && s.text.W.Flush() == nil
	if s.fit {
		r, err := readReply(s.reader())
		s.fit = err == nil && r.class() == 2 && !r.cut
	}
	s.fit = release() && s.fit
	s.dirty = false
	return s.fit
}
