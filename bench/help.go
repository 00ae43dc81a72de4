package main

import (
	"flag"
	"fmt"
	"strings"
)

const about = `bench measures what Postrider can do on this machine, beside the limits of the
machine's parts and beside other systems that do the same job: take in mails of
2 KB, promise to keep them, hand them to an SMTP server, and know that they did.

  make bench                          the plan quick, in about 15 minutes
  make bench-full                     the plan full, in an hour or two
  make bench ARGS='-plan gate'        has a mail become dearer? in three minutes
  make bench ARGS='-rounds 1 -systems postrider,river -phases sustained'
  bin/bench -from bin/bench-full.json -docs
                                      a run that was, into docs/performance.md

Each system runs as its users run it: Postrider as a producer and a consumer that
are called over HTTP, its peers as a library in the caller and a worker process.
All send to one server that takes everything. Systems take turns in every round,
and are compared within a round, since machines drift. A round of a system is

  accept      mails are taken in by 8 and by 64 callers while nobody sends
  drain       what waits is sent while nobody calls
  sustained   both at once, by 8 and by 64 callers, until all is recorded as sent
  steady      200 mails a second: how long from the answer until the server has it

Experiments are of Postrider alone:

  backlog     accept and drain while 0, 10,000 and more mails wait
  critical    how long an urgent mail takes behind a million that are not
  consumers   drain by 1, 2, 4 and 8 consumer processes
  producers   accept by 1 and 2 producer processes
  far         drain to a relay host that is 20 ms away, over 16 to 512 sessions
  partitions  the tables in a partition a day, held against the plain ones; in no plan

CPU is of everything together: callers, system, Postgres, RabbitMQ, Redis, sink.
So nothing else should run on the machine meanwhile.

At the end come a table, the goals, and the regression gate: what a mail takes from
heap, database and CPU, held against bench/gate/baseline.json. The exit code is 1
where that got worse, or where something could not be measured.

It needs the services that 'make services' starts, and 'scripts/services.sh
redis-up' and 'postfix-install' for the peers that stand on these; make sees to it.
Ctrl-C ends a run early, and shows what was measured until then.
`

func usage(f *flag.FlagSet) {
	w := f.Output()
	fmt.Fprint(w, about, "\nPlans:\n\n")
	for _, p := range plans() {
		fmt.Fprintf(w, "  %-11s %s\n", p.name, p.about)
	}
	fmt.Fprintf(w, "\nSystems: %s.\n\nFlags:\n\n", strings.Join(systemNames(), ", "))
	f.PrintDefaults()
}
