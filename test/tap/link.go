package tap

import "net"

// step is one message as it came, and what it means.
type step struct {
	raw                []byte
	name, text, within string
}

// reader cuts one direction of a connection into steps. The step is valid until
// the next call.
type reader interface {
	next() (step, error)
}

// link is one client's connection and the one to the service that belongs to it.
type link struct {
	proxy     *Proxy
	n         int
	near, far net.Conn
}

func (l *link) cut() {
	_ = l.near.Close()
	_ = l.far.Close()
}

// pass moves what one side says to the other until either is gone.
func (l *link) pass(from Side, r reader, to net.Conn) {
	defer l.cut()
	for muted := false; ; {
		s, err := r.next()
		if err != nil {
			return
		}
		if muted {
			continue
		}
		e := Event{Proxy: l.proxy, Conn: l.n, From: from, Step: s.name, Text: s.text, Within: s.within, link: l}
		rule := l.proxy.rule(e)
		end := l.act(rule, e)
		muted = end == Mute
		switch end {
		case Drop:
			return
		case Pass:
			if _, err := to.Write(s.raw); err != nil {
				return
			}
		case Swallow, Mute:
		}
		if rule != nil && rule.Done != nil {
			rule.Done(e)
		}
	}
}

// act does what a rule does before the step passes.
func (l *link) act(r *Rule, e Event) End {
	if r == nil {
		return Pass
	}
	if r.Do != nil {
		r.Do(e)
	}
	if r.Wait != nil {
		select {
		case <-r.Wait:
		case <-l.proxy.closing:
			return Drop
		}
	}
	return r.End
}
