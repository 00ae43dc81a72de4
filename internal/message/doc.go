// Package message is the core of Postrider: the words of the delivery protocol
// as Go types, the state of a delivery with every step it may take as pure
// functions, the retry schedule, validation of what callers post, and the coded
// errors that all other packages speak.
//
// It imports nothing but the standard library, UUIDs and IDNA, and it does no
// I/O. Everything else in the program adapts something to these types.
package message
