// Package witness gathers the evidence that package check judges: from the tables,
// the broker's management API, the scripted relay host and the health of
// processes.
package witness
