package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/postrider/postrider/test/check"
)

// ErrAnswer is an answer that is not what was asked for.
var ErrAnswer = errors.New("unexpected answer")

// Queues lists the depth of every queue of the prefix, from the broker's
// management API at base, such as http://guest:guest@127.0.0.1:15672. Its counts
// are up to 5 s old.
func Queues(ctx context.Context, base, prefix string) ([]check.Queue, error) {
	var all []struct {
		Name    string `json:"name"`
		Ready   int    `json:"messages_ready"`
		Unacked int    `json:"messages_unacknowledged"`
	}
	if err := get(ctx, base+"/api/queues/%2F?columns=name,messages_ready,messages_unacknowledged", &all); err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	var list []check.Queue
	for _, q := range all {
		if strings.HasPrefix(q.Name, prefix+".") {
			list = append(list, check.Queue{Name: q.Name, Ready: q.Ready, Unacked: q.Unacked, Notices: q.Name == prefix+".dead"})
		}
	}
	return list, nil
}

// Process asks a program's /readyz, at the base address of its metrics, how it is.
func Process(ctx context.Context, name, base string) check.Process {
	var state struct {
		Status string `json:"status"`
	}
	if err := get(ctx, base+"/readyz", &state); err != nil {
		return check.Process{Name: name}
	}
	return check.Process{Name: name, State: state.Status}
}

// get reads a JSON answer; 503 is one too, since that is how a program says that
// it is not ready.
func get(ctx context.Context, target string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("%w: %s", ErrAnswer, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}
