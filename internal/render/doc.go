// Package render turns a message into the bytes of a mail (RFC 5322, MIME).
//
// The bytes depend on the message alone: every recipient and every attempt, on
// every host, gets the same. So nothing random, no clock, no table of the
// operating system and no version number takes part.
//
// It composes with the standard library's mime packages. The composer of
// go-mail, which the mailer uses for its sessions, cannot serve here: a boundary
// that is set is set for all nested multiparts alike, and one that is not is
// random; header fields come out in the order of a map; and each part is
// buffered whole, twice.
package render
