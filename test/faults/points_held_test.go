package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/test/rig"
)

// Whoever renames a test learns here that a promise stands on it.
func TestEveryFaultIsHeldByWhatExists(t *testing.T) {
	all := map[int]bool{}
	for _, c := range faultClasses() {
		if all[c.n] {
			t.Errorf("%d is there twice", c.n)
		}
		all[c.n] = true
		if len(c.held) == 0 && c.seen != notYet {
			t.Errorf("%d, %s, is held by nothing", c.n, c.fault)
		}
		for _, ref := range c.held {
			if why := missing(t, ref); why != "" {
				t.Errorf("%d, %s: %s", c.n, c.fault, why)
			}
		}
	}
	for n := 1; n <= 62; n++ {
		if !all[n] {
			t.Errorf("%d is missing", n)
		}
	}
}

func TestEveryPointStandsInTheTable(t *testing.T) {
	held := map[string]int{}
	for _, c := range faultClasses() {
		for _, ref := range c.held {
			held[ref] = c.n
		}
	}
	for _, p := range killPoints() {
		if held["point-"+p.name] == 0 {
			t.Errorf("%s stands nowhere", p.name)
		}
	}
}

// missing says what of a reference does not exist; "" if all of it does.
func missing(t *testing.T, ref string) string {
	folder, name, isTest := strings.Cut(ref, ".")
	if !isTest {
		if _, err := choose(slices.Concat(figures(), points()), ref); err != nil {
			return err.Error()
		}
		return ""
	}
	name, words, _ := strings.Cut(name, "/")
	if !contain(t, folder, "*_test.go", "func "+name+"(") {
		return folder + " has no " + name
	}
	if words != "" && !contain(t, "internal/conformance", "*.go", words) {
		return "no case of " + name + " has the words " + words
	}
	return ""
}

func contain(t *testing.T, folder, pattern, words string) bool {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(root, folder, pattern))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(words)) {
			return true
		}
	}
	return false
}
