// Package mailer sends mail to one relay host over SMTP (RFC 5321).
//
// Sessions are opened with go-mail's SMTP client (greeting, EHLO, STARTTLS,
// AUTH), kept open and used again. The transaction itself is written here, on
// the client's text connection, because the delivery protocol hangs on two
// things a general client does not offer: a place exactly between the last byte
// of the content and the final dot, and the knowledge whether anything of that
// dot was written.
//
// What came of a try is decided by the stage it ended at and the reply code
// alone, never by the words of a reply:
//
//	4xx up to AUTH while other sessions are open     nothing yet: one of these is waited for
//	no connection, no TLS, 4xx or 5xx up to AUTH     relay host
//	4xx to MAIL, RCPT, DATA or the dot               temporary
//	530, 534, 535, 538 to MAIL, RCPT or DATA         temporary: our login is at fault (RFC 4954), not the mail
//	5xx before the dot, where the mark took long     temporary: the host did not wait
//	any other 5xx to MAIL, RCPT, DATA or the dot     permanent
//	broken or timed out before the dot               temporary
//	broken or timed out after it                     unknown
//	2xx to the dot                                   sent, whatever happens to the connection then
package mailer
