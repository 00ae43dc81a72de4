// Package peer is what Postrider is measured beside: other ways to accept mail, keep it
// and send it, each set up as somebody would who knows it well.
package peer

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/peer/amqp"
	"github.com/postrider/postrider/bench/peer/asynq"
	"github.com/postrider/postrider/bench/peer/child"
	"github.com/postrider/postrider/bench/peer/postfix"
	"github.com/postrider/postrider/bench/peer/river"
	"github.com/postrider/postrider/bench/peer/watermill"
)

// peer is one configuration of a system.
type peer struct {
	name string
	note string // in what it is not like for like with Postrider
	make func(name string, where job.Where) job.System
	work child.Work // its worker side; nil where it has none
}

func table() []peer {
	return []peer{
		{"river", riverNote,
			func(name string, w job.Where) job.System { return river.New(name, w) }, river.Tuned},
		{"river-default", riverDefaultNote,
			func(name string, w job.Where) job.System { return river.New(name, w) }, river.Default},
		{"amqp091", amqpNote,
			func(name string, w job.Where) job.System { return amqp.New(name, w) }, amqp.Work},
		{"watermill", watermillNote,
			func(name string, w job.Where) job.System { return watermill.New(name, w) }, watermill.Work},
		{"asynq", asynqNote,
			func(name string, w job.Where) job.System { return asynq.New(name, asynq.Always, w) }, asynq.Work},
		{"asynq-everysec", asynqEverySecondNote,
			func(name string, w job.Where) job.System { return asynq.New(name, asynq.EverySecond, w) }, asynq.Work},
		{"postfix", postfixNote,
			func(name string, w job.Where) job.System { return postfix.New(name, w) }, nil},
	}
}

// Names are all peers, in the order of the tables.
func Names() []string {
	var names []string
	for _, p := range table() {
		names = append(names, p.name)
	}
	return names
}

// New returns a peer that runs nothing yet.
func New(name string, where job.Where) (job.System, error) {
	p, err := find(name)
	if err != nil {
		return nil, err
	}
	return p.make(p.name, where), nil
}

// Note says in what a peer is not like for like with Postrider; "" for a name that is
// none.
func Note(name string) string {
	p, _ := find(name)
	return p.note
}

// Main is the worker process of the peer named by the one argument. The program's main
// calls it when its own first argument is "worker", with those that follow. It returns
// after SIGTERM, when the mails in hand are done with.
func Main(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of a peer", child.Command)
	}
	p, err := find(args[0])
	if err != nil {
		return err
	}
	if p.work == nil {
		return fmt.Errorf("%s has no worker", p.name)
	}
	return child.Main(p.work)
}

func find(name string) (peer, error) {
	for _, p := range table() {
		if p.name == name {
			return p, nil
		}
	}
	return peer{}, fmt.Errorf("no peer %q; there are %s", name, strings.Join(Names(), ", "))
}
