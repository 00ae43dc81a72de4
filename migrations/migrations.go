// Package migrations holds the schema as numbered steps, embedded into every
// program. A step is never edited once released; one text serves Postgres and
// SQLite.
package migrations

import "embed"

// Files holds the steps, one file each.
//
//go:embed *.sql
var Files embed.FS
