//go:build race

package test

// detectRaces builds the programs under test as the stories themselves are
// built.
const detectRaces = "-race=true"
