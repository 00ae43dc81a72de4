// Package smtptest is a scripted SMTP server for tests: it answers, delays,
// hangs, drops and lies at any step as its Script says, records every
// transaction byte by byte, and lets tests await what happened instead of
// sleeping.
//
// It is strict about the end of a mail: only CRLF . CRLF ends one, and what
// else a sloppy client may have written is noted in the record.
package smtptest
