package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Applications that send with Resend today change one line, the base URL. These
// stories let Resend's own SDKs, as they are published, make every call of theirs
// that Postrider offers, and run into every error.

// nodeSDK installs the SDK for Node, once for all stories.
var nodeSDK = sync.OnceValue(func() error {
	out, err := exec.Command("../scripts/sdk.sh").CombinedOutput()
	if err != nil {
		return errors.New(string(bytes.TrimSpace(out)))
	}
	return nil
})

func TestResendsSDKForNodeWorksUnchanged(t *testing.T) {
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	inBothModes(t, setting{}, func(s *stack) {
		node := exec.CommandContext(s.Context(), "node", "calls.mjs")
		node.Dir = "sdk"
		node.Env = []string{"PATH=" + os.Getenv("PATH"), "POSTRIDER_STORY_URL=" + s.api + "/v1", "POSTRIDER_STORY_KEY=" + apiKey}
		node.WaitDelay = 5 * time.Second
		var faults bytes.Buffer
		node.Stderr = &faults
		out, err := node.Output()
		if err != nil {
			s.Errorf("node: %v\n%s", err, faults.Bytes())
		}
		s.tell(out)
	})
}

// tell makes a test of each line that the script wrote.
func (s *stack) tell(out []byte) {
	s.Helper()
	done, checks := false, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var line struct {
			Name, Error string
			Done        bool
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			s.Fatalf("%v: %s", err, lines.Bytes())
		}
		if done = line.Done; done {
			break
		}
		checks++
		s.TB.(*testing.T).Run(line.Name, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	if !done || checks == 0 {
		s.Errorf("the script ended early, after %d checks", checks)
	}
}
