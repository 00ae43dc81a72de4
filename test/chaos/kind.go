package main

import (
	"time"
)

// part is what a fault is made to.
type part string

const (
	producers part = "producer"
	consumers part = "consumer"
	serve     part = "serve" // the one process of the embedded mode
	broker    part = "rabbitmq"
	database  part = "postgres"
	relayHost part = "relayhost"
)

func (p part) embedded() bool { return p == serve }

// process reports whether the part is processes of ours.
func (p part) process() bool { return p == producers || p == consumers || p == serve }

// kind is a kind of fault, called after its part and what is done to it.
type kind struct {
	name string
	part part
	do   action
	// shortest and longest bound how long the part is away or held still, as far as
	// that is ours to choose.
	shortest, longest time.Duration
	back              time.Duration // about how long the part then takes to be back
	rest              time.Duration // the part is then left alone that long, to be well for a while
}

// The times at which processes are held still end before and after what Postrider
// waits for: a lease of 20 s, a transaction of 10 s, a heartbeat of the broker.
func allKinds() []kind {
	const s = time.Second
	var kinds []kind
	for _, p := range []part{producers, consumers, serve} {
		kinds = append(kinds,
			kind{string(p) + "-kill", p, killProcess, 0, s, 0, s},
			kind{string(p) + "-pause", p, pauseProcess, s / 2, 26 * s, 0, s},
			kind{string(p) + "-restart", p, restartProcess, 0, s, 0, 3 * s},
		)
	}
	return append(kinds,
		kind{"rabbitmq-kill", broker, killService, 0, 2 * s, 8 * s, 8 * s},
		kind{"rabbitmq-pause", broker, pauseService, s / 2, 15 * s, 0, 3 * s},
		kind{"rabbitmq-restart", broker, stopService, 0, 2 * s, 8 * s, 8 * s},
		kind{"rabbitmq-wipe", broker, wipeBroker, 0, 0, 8 * s, 8 * s},
		kind{"rabbitmq-disconnect", broker, cutConnections, 0, 0, 0, 2 * s},
		kind{"queue-purge", broker, purgeQueue, 0, 0, 0, s},
		kind{"queue-delete", broker, deleteQueue, 0, 0, 0, 2 * s},
		kind{"postgres-kill", database, killService, 0, 2 * s, 3 * s, 5 * s},
		kind{"postgres-pause", database, pauseService, s / 2, 8 * s, 0, 3 * s},
		kind{"postgres-restart", database, restartDatabase, 0, 0, 3 * s, 5 * s},
		kind{"relayhost-disconnect", relayHost, cutRelayHost, 0, 0, 0, s},
	)
}

func names(kinds []kind) []string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = k.name
	}
	return list
}
