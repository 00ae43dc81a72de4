package main

import (
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
)

// assassin is at the relay host and strikes once, at a step, whoever has come there;
// then it watches for the next who does.
type assassin struct {
	step  smtptest.Step
	again chan time.Time // when the step was seen the next time

	mu     sync.Mutex
	names  map[int]string // of members, by session
	strike func(member string)
	struck bool
}

// script has processes named by the greeting that edit gives them.
func (a *assassin) script() smtptest.Script {
	return smtptest.Script{Rules: []smtptest.Rule{{At: smtptest.Ehlo, Do: a.meet}, {At: a.step, Do: a.look}}}
}

// arm has the next who comes to the step struck. Strike runs before the relay host
// answers.
func (a *assassin) arm(strike func(member string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strike, a.struck, a.again = strike, false, make(chan time.Time, 1)
}

func (a *assassin) meet(e smtptest.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, name, _ := strings.Cut(e.Line, " ")
	a.names[e.Session], _, _ = strings.Cut(name, ".")
}

func (a *assassin) look(e smtptest.Event) {
	a.mu.Lock()
	name, strike := a.names[e.Session], a.strike
	a.strike = nil
	if a.struck {
		select {
		case a.again <- time.Now():
		default:
		}
	}
	a.struck = a.struck || strike != nil
	a.mu.Unlock()
	if strike != nil {
		strike(name)
	}
}
