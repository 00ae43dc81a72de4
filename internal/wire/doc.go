// Package wire is the JSON form of messages: it reads the body of a request
// into a message.Draft and writes a message.View as the answers show it. The
// HTTP API, the command-line tool and tests share it, so that there is one
// reading and one writing of every field.
package wire
