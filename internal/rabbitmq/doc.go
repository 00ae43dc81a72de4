// Package rabbitmq is the queue between processes, on AMQP 0-9-1 and RabbitMQ
// 3.10 or later.
//
// A Queue has up to two links to the broker, one connection each: one publishes
// and counts, the other consumes. They are apart because the broker stops
// reading from connections that publish when it runs out of memory or disk, and
// acknowledgements must still get through then.
//
// Each link is kept up by a supervisor of its own. What it connects is a
// session: one connection with its channels, which are never used past its end.
// The client library could reconnect by itself, and is not asked to: it would
// carry channels on to the next connection, where delivery tags begin again,
// and an acknowledgement that comes late would then settle another copy.
//
// The topology is declared at the beginning of every session and again whenever
// something turns out to be missing.
package rabbitmq
