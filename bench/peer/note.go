package peer

// In what each peer is not like for like with Postrider. They go into reports as they
// are, behind the name and a colon.
const (
	riverNote = "accepted by a library call in the caller's process, not over HTTP; duplicates are not looked for;" +
		" a job has a state, but its recipients have none, and the server's replies are not kept; done jobs stay in the table"
	riverDefaultNote = riverNote + "; settings are those of the documentation: a fetch every 100 ms at most, 100 workers," +
		" and a connection to the SMTP server for each mail"
	amqpNote = "no database: a mail is only in RabbitMQ and lost with it, has no state that could be read and no history," +
		" and duplicates are not looked for; a failed mail is tried again at once, for ever"
	watermillNote = "accepted by a library call in the caller's process, not over HTTP; duplicates are not looked for;" +
		" a mail has no state that could be read and no history, and from the outbox on it is only in RabbitMQ"
	asynqNote = "accepted by a library call in the caller's process, not over HTTP; duplicates are not looked for;" +
		" all mails are in Redis's memory and its log, and nothing of those delivered is kept;" +
		" idle workers ask Redis every 10 ms, where Asynq's own setting is a second"
	asynqEverySecondNote = asynqNote + "; Redis brings its log to the disk once a second, which is its own setting," +
		" so that a crash loses up to a second of accepted mails"
	postfixNote = "accepted over SMTP, into a file on one host's disk; duplicates are not looked for;" +
		" a mail has no state that an application could read, and no history but lines of the log"
)
