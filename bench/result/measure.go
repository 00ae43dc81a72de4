package result

import "fmt"

// The measures. Rates are mails a second; latencies are milliseconds; CPU is
// milliseconds for each mail, over all processes: callers, system, servers, sink.
const (
	Rate = "rate"
	P50  = "p50"
	P99  = "p99"
	CPU  = "cpu"
)

// Accept is mails taken in by so many callers at once, while no worker runs; with
// Rate, P50, P99, CPU.
func Accept(callers int, what string) string { return fmt.Sprintf("accept-%d.%s", callers, what) }

// Drain is the sending of mails that wait, while nobody calls; with Rate, CPU, and CPU
// by part: cpu.callers, cpu.<process of the system>, cpu.postgres, cpu.rabbitmq,
// cpu.redis, cpu.sink.
func Drain(what string) string { return "drain." + what }

// What a mail costs beside CPU, of systems that count it: objects and bytes that each
// program takes from the heap, transactions of the database that write, bytes of its
// log, and bytes that its tables and their indexes grow by.
const (
	Allocs       = "allocs."
	AllocBytes   = "alloc-bytes."
	Transactions = "transactions"
	LogBytes     = "log-bytes"
	TableBytes   = "table-bytes"
)

// Sustained is both at once, from the first call until all is recorded as delivered;
// with Rate, CPU and CPU by part, Allocs and AllocBytes by program, Transactions,
// LogBytes and TableBytes.
func Sustained(callers int, what string) string { return fmt.Sprintf("sustained-%d.%s", callers, what) }

// Steady is 200 mails a second; latency is from the answer to the caller until the
// sink has taken the mail; with P50, P99, CPU and CPU by part.
func Steady(what string) string { return "steady." + what }

// Memory is the most resident memory of a process, in MiB.
func Memory(process string) string { return "memory." + process }

// Backlog is a rate while so many mails wait already; what is accept or drain.
func Backlog(waiting int, what string) string { return fmt.Sprintf("backlog-%d.%s", waiting, what) }

// Critical is the latency of lane critical while so many mails of lane low wait; with
// P50 and P99.
func Critical(waiting int, what string) string { return fmt.Sprintf("critical-%d.%s", waiting, what) }

// Consumers is the drain by so many consumer processes; with Rate and CPU.
func Consumers(processes int, what string) string {
	return fmt.Sprintf("scale.consumers-%d.drain.%s", processes, what)
}

// Producers is the taking in of mails from 64 callers by so many producer processes;
// with Rate, P50, P99 and CPU.
func Producers(processes int, what string) string {
	return fmt.Sprintf("scale.producers-%d.accept-64.%s", processes, what)
}

// Trips is for how many round trips a session is at one mail.
const Trips = "trips"

// Far is the drain over so many sessions to a relay host that is 20 ms away; with Rate,
// CPU and Trips.
func Far(sessions int, what string) string {
	return fmt.Sprintf("scale.far-%d.drain.%s", sessions, what)
}

// Partitions is the life of mails in groups of a size in the tables of one kind, plain or
// parted, with so many partitions; with Rate, and CPU of Postgres alone.
func Partitions(days int, kind string, group int, what string) string {
	return fmt.Sprintf("partitions-%d.%s.group-%d.%s", days, kind, group, what)
}
