package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A short run in each mode goes through everything: services of its own, faults of
// several parts, the judgement and the report.
func TestAShortRunHoldsEveryPromise(t *testing.T) {
	for mode, args := range map[string][]string{
		modeEmbedded:    {"-mode", modeEmbedded, "-faults", "serve-kill,relayhost-disconnect"},
		modeDistributed: {"-faults", "consumer-kill,producer-kill,postgres-restart,queue-delete"},
	} {
		t.Run(mode, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
			defer cancel()
			dir := t.TempDir()
			var out strings.Builder
			err := run(ctx, append(args, "-services", "smoke", "-duration", "6s", "-interval", "1s", "-reply", "5ms", "-seed", "1", "-dir", dir,
				"-quiet", "3m", "-env", "POSTRIDER_LEASE=12s", "-env", "POSTRIDER_SWEEP_INTERVAL=1s"), &out)
			if err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			pages, err := filepath.Glob(filepath.Join(dir, "*", "report.html"))
			if err != nil || len(pages) != 1 {
				t.Fatalf("reports %v, %v", pages, err)
			}
			page, err := os.ReadFile(pages[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"Every promise held", "<polyline", "<rect", "make chaos ARGS=", "nothing answered 2xx is lost"} {
				if !strings.Contains(string(page), want) {
					t.Errorf("the page does not hold %q", want)
				}
			}
			if strings.Contains(string(page), "http://") || strings.Contains(string(page), "https://") {
				t.Error("the page needs the network")
			}
		})
	}
}
