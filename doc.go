// Package postrider sends email through Postrider from Go programs.
//
// There are two ways in. Enqueue leaves an email in Postrider's own Postgres within
// a transaction of yours: committed means sent, rolled back means never sent. Client
// posts over HTTP, from anywhere; it repeats what may be repeated, and an idempotency
// key keeps that from sending twice.
//
// Nothing is checked here that the server checks: it has the one validator, and names
// every fault.
package postrider
