package wire

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/message"
)

// Run with: go test -bench . -benchmem ./internal/wire
func BenchmarkReadEmail(b *testing.B) {
	file := make([]byte, 25<<20-100)
	for i := range file {
		file[i] = byte(i * 7)
	}
	cases := map[string]string{
		"plain 2 kB":           with(`"html":"` + strings.Repeat(`<p>Hello you there.</p>\n`, 80) + `"`),
		"25 MB in base64":      with(`"attachments":[{"filename":"a.bin","content":"` + base64.StdEncoding.EncodeToString(file) + `"}]`),
		"25 MB in text":        with(`"html":"` + strings.Repeat(`<p>Hello you there.</p>\n`, 1<<20) + `"`),
		"36 MB with slashes":   with(`"attachments":[{"content":"` + strings.Repeat(`\/\/\/\/`, 36<<17-100) + `"}]`),
		"36 MB of numbers":     with(`"attachments":[{"content":[` + strings.Repeat(`200,`, 9<<20-100) + `1]}]`),
		"36 MB unknown string": with(`"x":"` + strings.Repeat(`x`, 36<<20-1000) + `"`),
	}
	limits := message.DefaultLimits()
	for name, body := range cases {
		b.Run(name, func(b *testing.B) {
			text := []byte(body)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d, _, err := ReadEmail(bytes.NewReader(text), limits, now())
				if err != nil && !strings.Contains(name, "unknown") {
					b.Fatal(err)
				}
				if d != nil {
					if _, err := limits.Validate(d, now()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
