// Package storetest makes databases for tests, empty ones and such as hold the tables
// of the store. Tables are not migrated once more for each test, which costs more than
// most tests do: a file is copied, and a schema is made by all steps in one round trip.
// TestWhatIsMadeIsWhatMigrationsMake holds both against the migrations.
package storetest
