package peer

// What each peer is beside Postrider. They go into reports as they are.
const (
	riverNote = "Accepting is a library call in the caller's process, not HTTP; a job has a state, but no recipient has, and no attempt keeps the server's reply." +
		" Finished jobs stay in the table."
	asynqNote = "Accepting is a library call in the caller's process, not HTTP; Redis keeps all mails in memory, and nothing of those delivered." +
		" An idle worker asks Redis every 10 ms where Asynq's default is a second."
	amqpNote      = "No database: a mail has no row, no state and no history, no duplicate is recognised, and what the broker loses is lost."
	watermillNote = "Accepting is a library call in the caller's process, not HTTP; a mail has no state and no history, and from RabbitMQ on nothing but the broker has it."
)
