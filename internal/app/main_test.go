package app

import (
	"bytes"
	"strings"
	"testing"
)

func TestAProgramExplainsItself(t *testing.T) {
	for _, c := range []struct {
		arg, out, complaint string
		code                int
	}{
		{"--help", "postrider config producer", "", exitDone},
		{"--version", "1.2.3", "", exitDone},
		{"start", "", "producer --help", exitUsage},
	} {
		var out, complaints bytes.Buffer
		code := explain(&out, &complaints, Build{Program: "producer", Version: "1.2.3"}, "Takes messages in.", []string{c.arg})
		if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(complaints.String(), c.complaint) {
			t.Errorf("%s: code %d, %q, %q", c.arg, code, &out, &complaints)
		}
	}
}
