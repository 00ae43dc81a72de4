// Package rig runs Postrider the way a user does, so that it can be hurt: real
// processes that are killed, held still and started again, on Postgres, RabbitMQ
// and a relay host that may be harmed too, under a load of callers who behave as
// sane callers do. It is no test: stories, exact kill points and chaos all stand
// on it. What it gathers is judged by package check.
package rig
