package rabbitmq

import "time"

// State is how the links to the broker are, for health checks and metrics.
type State struct {
	Publisher LinkState
	Consumer  LinkState
}

// LinkState is how one link is.
type LinkState struct {
	Enabled   bool      // the process has this role
	Connected bool      // a session is up
	Since     time.Time // when Connected last changed; zero before the first session
	Session   uint64    // number of the last session; 0: there was none
	Server    string    // host:port of the last attempt
	Blocked   string    // why the broker takes nothing from us now, such as "low on memory"; "": it does
	Refused   bool      // there is no session because the broker refuses us: user, password, virtual host, or a limit
	LastError string    // why there is no session; "" while there is one. Holds no password
	Faults    []string  // queues that cannot be used or consumed, each with the remedy
}

// Ready reports whether the link does its work: connected, not blocked, and
// every queue as it should be.
func (s LinkState) Ready() bool { return s.Connected && s.Blocked == "" && len(s.Faults) == 0 }

// State returns how the links are now.
func (q *Queue) State() State {
	return State{Publisher: q.publisher.snapshot(), Consumer: q.consumer.snapshot()}
}
