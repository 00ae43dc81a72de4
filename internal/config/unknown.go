package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

const testPrefix = prefix + "_TEST_"

// Names lists every name that some program knows, sorted, the NAME_FILE forms
// of secrets included.
func Names() []string {
	known := map[string]bool{}
	for _, p := range programs() {
		for _, s := range settingsOf(p) {
			known[s.key] = true
			if s.secret() {
				known[s.key+fileSuffix] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(known))
}

// unknownNames refuses what begins like a setting and is none of any program:
// a typing error must not silently mean the default.
func unknownNames(environ []string, found *faults) {
	known := Names()
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix+"_") || slices.Contains(known, name) || foreign(name, value) {
			continue
		}
		found.add(name, "is not a setting", meant(name, known)+"; unset it if it is not meant for Postrider")
	}
}

// meant names the nearest setting, unless half of the name is another: to be sent from
// POSTRIDER_PORT to POSTRIDER_MARK helps nobody.
func meant(name string, known []string) string {
	near := nearest(name, known)
	if 2*distance(name, near) > len(name)-len(prefix+"_") {
		return "see postrider config --reference for those there are"
	}
	return "the nearest is " + near
}

// foreign reports whether somebody else owns the name: our tests, or
// Kubernetes, which tells every container of the services beside it and makes
// such names for a service called postrider.
func foreign(name, value string) bool {
	service := regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$`)
	port := regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`)
	link := regexp.MustCompile(`^(tcp|udp|sctp)://`)
	return strings.HasPrefix(name, testPrefix) || service.MatchString(name) || port.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && link.MatchString(value)
}

func nearest(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is the number of signs to insert, delete or replace to turn a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
