// Package migrations holds the schema as numbered steps, embedded into every
// program. A step is never edited once released. One text serves Postgres and
// SQLite, except for steps that must differ: of those each engine has a file of its
// own, under the same number and name.
package migrations

import (
	"embed"
	"io/fs"
	"strings"
)

// Files holds the steps, one file each, or one for each engine.
//
//go:embed *.sql
var Files embed.FS

// Others names the files that are not for the engine, "postgres" or "sqlite".
func Others(engine string) ([]string, error) {
	names, err := fs.Glob(Files, "*.*.sql")
	if err != nil {
		return nil, err
	}
	var others []string
	for _, name := range names {
		if !strings.HasSuffix(name, "."+engine+".sql") {
			others = append(others, name)
		}
	}
	return others, nil
}
