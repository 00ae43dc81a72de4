//go:build !race

package test

const detectRaces = "-race=false"
