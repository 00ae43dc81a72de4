// Package tap stands between a program and a service, understands what passes,
// and acts at a named step: it has the program killed before its COMMIT is
// passed on, holds a publisher confirm back, drops the connection at a delivery,
// or swallows an answer.
//
// It speaks AMQP 0-9-1 and the Postgres protocol 3, both without TLS. What
// passes is never changed. A step is a whole message: an AMQP method together
// with its content, or one message of Postgres.
package tap
