package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// faultClass is one line of the table of faults: what can break, what a user may
// see of it, and where that is held.
type faultClass struct {
	n     int
	fault string
	seen  string
	bound string // on second copies
	held  []string
}

// The bounds on second copies.
const (
	never   = "none"
	oneEach = "one for each fault, under hold none"
	perSend = "one for each send under way, under hold none"
	noMail  = "-"
	notYet  = "not offered yet"
	asTold  = "as documented"
)

// Where a class is held. A reference is the name of an experiment of this program,
// or package.Test, or package.Test/case; a test sees to it that each exists.
func faultClasses() []faultClass {
	return slices.Concat(acceptClasses(), sendClasses(), brokerClasses(), databaseClasses(), relayHostClasses(), otherClasses())
}

func acceptClasses() []faultClass {
	return []faultClass{
		{1, "a producer dies before its COMMIT of an acceptance", "nothing is stored; asking again with the key makes one message", never, refs("point-api-before-commit")},
		{2, "a producer dies, or its connection breaks, between that COMMIT and the 202", "the mail goes out; asking again gives the same id", never, refs("point-api-after-commit point-reply-of-acceptance")},
		{3, "a producer dies while it reads a request", "nothing is stored", never, refs("point-api-reading-a-body")},
		{4, "a relay dies with rows taken and nothing published", "another publishes them within a second", never, refs("point-relay-before-publish")},
		{5, "a relay dies, or hears nothing, between publish and confirm", "published again; the second copy is acked", never, refs("point-relay-before-confirm point-confirm")},
		{6, "a relay dies between confirm and its COMMIT, or just after it", "as before; after the COMMIT nothing is published again", never, refs("point-relay-before-settling point-relay-after-settling point-reply-of-settling test.TestAProducerKilledBetweenPublishAndCommitSendsNothingTwice")},
		{13, "a sweep dies in the midst of its repairs", "the next sweep makes them", never, refs("point-sweep-mid-batch point-sweep-before-commit")},
		{14, "two relays and two sweeps work at once", "each row is published once", never, refs("point-two-relays")},
		{15, "a relay stands still in its transaction and goes on", "Postgres ends the transaction after 10 s, others publish, the late COMMIT fails", never, refs("point-relay-stopped internal/store.TestAHangingRelayLosesItsRows")},
	}
}

func sendClasses() []faultClass {
	return []faultClass{
		{7, "a consumer dies before it claims", "another has the mail within a second", never, refs("point-consumer-before-claim point-delivery")},
		{8, "a consumer dies between claim and MAIL", "another takes the claim over within a second", never, refs("point-consumer-after-claim worker-dead-before-dot")},
		{9, "a consumer dies at MAIL, RCPT, DATA or within the content", "the relay host has nothing; another sends within a second", never, refs("point-consumer-at-mail point-consumer-at-rcpt point-consumer-at-data point-consumer-mid-body")},
		{10, "a consumer dies between the mark and the 250", "an unknown outcome on record; sent again, or unknown under hold, within 30 s", oneEach, refs("point-consumer-after-mark point-consumer-after-dot worker-dead-after-dot")},
		{11, "a consumer dies between the 250 and the COMMIT of the outcome", "the same", oneEach, refs("point-consumer-after-250")},
		{12, "a consumer dies between that COMMIT and the ack", "the copy comes again and is acked", never, refs("point-consumer-before-ack")},
		{16, "a consumer stands still past its lease in the midst of a send", "before the mark it breaks off; after it its late 250 still counts", oneEach, refs("point-consumer-stopped-before-mark point-consumer-stopped-after-dot test.TestAStalledConsumerIsTakenOverAndSendsNothing")},
		{28, "25 consumers in a row die of one copy", "the broker gives it up, the sweep publishes it again", never, refs("point-delivery-limit internal/rabbitmq.TestPoisonEndsInTheDeadLetterQueue")},
		{53, "one copy is given to two consumers at once", "one sends, the other acks", never, refs("test.TestACopyDeliveredTwiceSendsOnce")},
		{54, "messages on the queue that are no work", "set aside with a reason; nothing behind them waits", noMail, refs("poison test.TestABadQueueMessageIsDeadLetteredAndBlocksNobody")},
		{58, "SIGTERM, a second one, or SIGKILL after it", "sends in hand end, exit 0 in the grace; what a kill breaks off is as above", never + "; by the kill " + oneEach, refs("sigterm point-consumer-terminated-then-killed point-consumer-terminated-twice test.TestStopFinishesTheSendInHand test.TestStopDoesNotWaitForeverForAReply")},
	}
}

func brokerClasses() []faultClass {
	return []faultClass{
		{17, "the broker is killed and started, idle or under load", "202 all the while, all is sent", never, refs("broker-killed broker-killed-idle test.TestARestartedBrokerLosesNothing")},
		{18, "the broker is stopped and started by its operator", "the same", never, refs("broker-restarted")},
		{19, "the broker stands still for 90 s", "both ends notice and reconnect", never, refs("broker-paused")},
		{20, "the broker is away for ten minutes, or at the start", "producers accept and say so; all is sent without a restart", never, refs("broker-away test.TestWithoutABrokerMailIsAcceptedAndWaits internal/rabbitmq.TestBrokerAwayAtStart")},
		{21, "memory alarm of the broker", "accepted and waiting; consumers go on", never, refs("memory-alarm internal/rabbitmq.TestNodeMemoryAlarm")},
		{22, "disk alarm of the broker", "the same", never, refs("disk-alarm")},
		{23, "a queue is deleted in use", "made again; the sweep publishes what it held", never, refs("queue-deleted test.TestADeletedQueueLosesNothing internal/rabbitmq.TestConsumerOutlivesQueueMadeAgainAtOnce")},
		{24, "a queue is purged, or the broker loses all data", "the sweep publishes again", never, refs("queue-purged broker-wiped test.TestAPurgedQueueLosesNothing")},
		{25, "a queue exists with other arguments", "an error that names it and the remedy; heals by itself", noMail, refs("test.TestAQueueOfOtherArgumentsIsNamedAndWaitedFor internal/rabbitmq.TestQueueOfOtherMakeIsNamedAndHeals")},
		{26, "permissions or the password at the broker are changed", "says so, heals when given back", never, refs("permission-taken password-changed internal/rabbitmq.TestPermissionsTakenAwayAndGivenBack")},
		{27, "a queue refuses more copies", "the rest waits in the tables", never, refs("queue-full internal/rabbitmq.TestFullQueueRefuses")},
		{29, "a send is longer than the broker lets a copy be held", "the channel is made again; settings that would lead there are refused", never, refs("internal/rabbitmq.TestNodeConsumerTimeout")},
		{30, "the broker closes all connections in the midst of sends", "no ack settles another's copy", never, refs("connections-closed point-ack test.TestCutConnectionsLoseNothingAndSendNothingTwice")},
	}
}

// refs are references, by a blank.
func refs(list string) []string { return strings.Fields(list) }

// writeFaultTable writes the classes as a table in Markdown.
func writeFaultTable(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| | fault | what is seen | second copies | held by |\n|---|---|---|---|---|\n")
	classes := faultClasses()
	slices.SortFunc(classes, func(a, b faultClass) int { return a.n - b.n })
	for _, c := range classes {
		var held []string
		for _, ref := range c.held {
			held = append(held, "`"+strings.TrimSpace(ref)+"`")
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", c.n, cell(c.fault), cell(c.seen), cell(c.bound), strings.Join(held, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
