// Package child runs the worker side of a peer as a process of its own, so that its
// share of the CPU is known: the bench's own executable, started again as
//
//	bench worker NAME
//
// The two speak in lines. The worker writes "ready" once it consumes. To every line
// that it reads it answers with the number of mails delivered so far, and it tells that
// number once more when it has come to rest.
package child
