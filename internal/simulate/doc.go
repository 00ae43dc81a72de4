// Package simulate runs the delivery protocol as it is in code, under a
// scheduler that a seed drives.
//
// The product's own parts, accept, relay, worker with its batches and sweep,
// each with the goroutines it has in life, run in one testing/synctest bubble,
// on fakes at their ports. Every call of a port is a step: it parks in the
// scheduler, which waits until nothing moves, puts what is parked into an order
// that no arrival changes, and decides by the seed which call goes on, which
// fails and how, whether time passes, and which process dies. Time is virtual:
// minutes of leases, retries and sweeps take a millisecond.
//
// # What can go wrong
//
// Fault lists it all. A crash leaves a process's calls unanswered and gives what
// it does later no effect; its copies come back from the broker, marked as
// redelivered, and its open transactions roll back, while those that committed
// stay, whether or not it heard of it. A process that stalls has its calls held;
// its timers go on, as they do for one that is continued after a stop.
// Every seed has one kind of fault that it is to meet (Seed modulo their number),
// so that a run of some hundred seeds meets all. In a third of the seeds the claim
// of mail that is resent is its mark.
//
// # What must hold
//
// The truth sees tables, broker, sink and answers at once. Throughout: every open
// delivery is in somebody's custody unless the broker lost it; nothing is claimed
// before its time; no more copies are in the sink than 1 + the crashes with a
// 250 in hand + the lost replies + the stalls past a lease after a worker was let
// past its mark, and under hold one; nothing is sent that was canceled; the sweep
// takes no claim from a process that was alive and well; no loop is hot. At the
// end, when the faults have stopped and all has come to rest: nothing answered 202
// is missing, and each end says what the sink has.
//
// # Reading a trace
//
// A line is a step: when, who, what. Names are the same in every run:
//
//	42.295s  c2.1  mark m1.0#2 answered
//
// is the second consumer in its first life, hearing the answer to its mark of
// message 1, recipient 0, claim 2. m1.0@2 is a copy or outbox row of dispatch 2;
// a claim that ends in r is one for a redelivered copy. "= " follows what a call
// came to; "***" is a fault, and [a fault] one that the fake itself plays.
// REFUSED: nothing was done. DONE, REPLY LOST: it was, and nobody heard.
// GIVEN UP: its context or deadline ended first.
//
// A line "ask" or "hear" is a worker that joins a batch, or is told what came of
// it.
//
// # Repeating a seed
//
// The same seed comes to the same steps, as a hash of them shows, on one
// processor (GOMAXPROCS=1) and without the race detector, which shuffles
// goroutines on purpose. What one step wakes at the same moment, the runtime
// runs in its own order. Where that could matter, it is taken away: calls of one
// batch are sorted by their content, workers meet at a turnstile, and every
// jitter is drawn from a source of the simulation. What is left are timers of the
// product that fire at the very same moment as another: on a busy machine some
// seeds in 100,000 have two runs; repeat such a seed a few times. Over SQLite and
// Postgres a
// seed takes the same decisions, but real milliseconds pass within a statement:
// a run that goes by one of them may differ.
//
//	make simulate                          100,000 seeds in memory
//	make simulate STORE=sqlite             2,000; STORE=postgres: 200
//	make simulate SEED=372                 one of them, step by step
//	make simulate MARK=hold                with claims that are their mark, in every seed
//	make simulate SEEDS=500 MUTANT=mark    without a guard; see Mutants
//
// # What it does not see
//
// SQL that another transaction blocks, what the libraries of the broker and of
// SMTP do, several lanes in earnest, and a restored or failed-over database: for
// these there are the suites of the adapters and the runs that kill processes.
package simulate
