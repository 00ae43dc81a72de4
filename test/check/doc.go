// Package check judges a run under faults from outside: what callers were
// answered, what the relay host saw, what the tables and the queues say at the
// end, and which faults were made. It knows nothing of how Postrider works, so it
// cannot share a mistake with it.
//
// A mail is one address of one message. The words, after Jepsen:
//
//	attempts      mails asked for
//	acknowledged  mails whose request was answered 2xx at least once
//	delivered     acknowledged mails of which the relay host has a copy
//	lost          acknowledged mails that are neither delivered nor ended in a
//	              state that tells the caller, nor wait for their time
//	duplicated    copies beyond the first of a mail
//	unexpected    copies of mails that nobody can have asked for
//	recovered     mails delivered though their caller never saw a 2xx
//
// The package is pure: package witness gathers the evidence.
package check
