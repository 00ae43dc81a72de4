package main

func databaseClasses() []faultClass {
	return []faultClass{
		{31, "a wire to the broker, Postgres or the relay host swallows everything", "found within seconds, said, and replaced", perSend, refs("half-open-broker half-open-postgres half-open-smtp internal/rabbitmq.TestHalfOpenConnectionIsFound")},
		{32, "one part is cut off from one service; an answer of the database is lost", "503 without the database, others wait; a lost answer is asked again", never, refs("point-reply-of-claim point-reply-of-mark test.TestWithoutADatabaseNothingIsAcceptedAndNothingIsLost")},
		{33, "the database is away between the 250 and the COMMIT of the outcome", "the worker keeps what it knows and writes it later", never, refs("test.TestADatabaseAwayAtThe250SendsNothingTwice point-reply-of-record internal/worker.TestAKnown250IsWrittenHoweverLongItTakes")},
		{34, "Postgres is restarted at once or killed", "503 while it is down, then all goes on", never, refs("postgres-restarted internal/store.TestServerKilled")},
		{35, "failover to a standby", "nothing lost to a synchronous one; what an asynchronous one lacks is not promised", asTold, refs("internal/store.TestServerFailsOverToASynchronousStandby internal/store.TestServerFailsOverToALaggingStandby")},
		{36, "serialization failures and deadlocks", "repeated inside", never, refs("internal/store.TestConflictsAreSolvedInside")},
		{37, "no free connection", "told soon, no deadlock", never, refs("internal/store.TestWhoFindsEveryConnectionInUseIsToldSoon internal/store.TestAServerWithoutRoomDeadlocksNobody")},
		{38, "a lock held on a table", "limits end the wait; others go on", never, refs("internal/store.TestALockedOutboxStopsOnlyWhatNeedsIt")},
		{39, "no room for the tables or the log of Postgres; a server that is read-only", "no 202 without a COMMIT; heals", never, refs("internal/store.TestServerWithoutRoomForItsTables internal/store.TestServerWithoutRoomForItsLog internal/store.TestAReadOnlyServerIsLeftOnceThereIsAnother")},
		{40, "no room for the broker", "as the disk alarm", never, refs("disk-alarm")},
		{52, "the database's clock steps", "no lease is judged for 10 s; nothing is sent twice", never, refs("internal/sweep.TestLeasesAreJudgedOnlyOnAQuietClock internal/app.TestAClockThatStepsOrDiffersIsVisible")},
		{60, "two migrations at once, one killed midway", "one is made; the next run ends it", noMail, refs("test.TestMigrationsAtOnceAreOne test.TestAMigrationKilledMidwayIsEndedByTheNext")},
	}
}

const sender = "internal/mailer.TestSender/"

func relayHostClasses() []faultClass {
	return []faultClass{
		{41, "the relay host is slow or silent at any step", "a deadline for each try; others are not held up", never + "; after the dot " + oneEach, []string{"test.TestASilentRelayHostIsGivenUpInTime", "test.TestSlowBulkMailNeverStandsBeforeAnUrgentOne", sender + "silence after the dot is unknown", sender + "silence at "}},
		{42, "4xx at any step", "tried again by the schedule, the reason kept", never, []string{"test.Test451IsRetriedByTheScheduleNotInALoop", sender + "at EHLO is the relay host's fault", sender + "at AUTH is the relay host's fault"}},
		{43, "5xx at any step", "of the mail: failed at once; of the relay host: charged to no mail", never, []string{"test.Test550FailsAtOnce", "test.TestARelayHostThatIsDownIsChargedToNoMail", "relay-host-dead", sender + "a wrong password by "}},
		{44, "421 or an end of the connection at any step", "tried again; after the dot an unknown outcome", oneEach, []string{"test.TestADropAfterTheFinalDotIsResent", "test.TestADropAfterTheFinalDotUnderHoldAwaitsADecision", "test.TestAMailOfUnknownOutcomeGoesOutThreeTimesAtMost", sender + " within the content is temporary"}},
		{45, "different answers for the recipients of one message", "each has its own end", never, []string{"test.TestOneRecipientsRefusalNeverTouchesAnothersMail", sender + "recipients of one message are apart"}},
		{46, "a 250 with rubbish: many lines, one megabyte, other bytes, no text, no end, code 999", "a 250 counts, its text is cleaned and cut; what is none is not believed", never, []string{sender + "a yes in the form of ", sender + "a yes that ", sender + "an endless reply at ", sender + "no code of a reply to the dot is unknown"}},
		{47, "a kept session that a refusal left in the midst of a mail, or to which the host said something while it was idle", "it is reset, or not used again", never, []string{sender + "a kept session that is told ", sender + "after a refusal at ", sender + "a session that RSET does not clean is not used"}},
		{48, "TLS that cannot be trusted, or hangs", "no mail, no password, a clear reason", never, []string{sender + "an expired certificate", sender + "a certificate for another name", sender + "a certificate signed by itself", sender + "a handshake that hangs", sender + "TLS 1.1"}},
		{49, "STARTTLS taken out, or words slipped in before TLS", "no mail and no password in the clear", never, []string{"test.TestARelayHostWithoutTLSGetsNoMailWhereTLSIsRequired", sender + "no STARTTLS offered", sender + "an answer slipped in before TLS is not heard"}},
		{50, "the relay host's name cannot be looked up", "the relay host's fault: charged to no mail", never, []string{sender + "nobody listens is the relay host's fault"}},
	}
}

func otherClasses() []faultClass {
	return []faultClass{
		{51, "webhooks", notYet, noMail, nil},
		{55, "messages that are too large", "refused with 413; the broker carries references only", noMail, refs("internal/httpapi.TestATooLargeBodyIsRefused test.TestALargeMailReachesTheRelayHostIntact")},
		{56, "a panic in a sender or a handler", "that mail fails, that request is answered 500; the process lives", never, refs("internal/worker.TestAPanicFailsTheMailAndNotTheProcess internal/httpapi.TestAPanicIsTheAnswerToOneRequest internal/batch.TestAPanicIsTheErrorOfItsBatchAlone")},
		{57, "memory that leaks or is asked for by many at once", "bounded; a long run is flat", never, refs("soak internal/httpapi.TestBodiesTogetherAreBound test.TestABacklogCostsNoMemoryAndNoGoroutines")},
		{59, "old and new programs side by side", "they share the work", never, refs("upgrade test.TestUpgradeOldAndNewProgramsShareTheWork test.TestUpgradeByReplacingOneByOneLosesNothingAndSendsNothingTwice")},
		{61, "secrets changed while programs run", "the broker's heals when it is right again; others need a restart", never, refs("password-changed")},
		{62, "much mail due at once, a relay host back after long", "within the sessions it admits, with flat memory", never, refs("relay-host-dead test.TestABacklogCostsNoMemoryAndNoGoroutines test.TestARelayHostOfFewSessionsIsUsedInTurn")},
	}
}
