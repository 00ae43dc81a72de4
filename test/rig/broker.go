package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postrider/postrider/internal/message"
)

// QueueOf is the name of the stack's queue for a lane, as the documentation gives it.
func (s *Stack) QueueOf(lane message.Lane) string { return s.Prefix + ".email." + string(lane) }

// Queues are the names of all queues of the stack, the dead-letter queue last.
func (s *Stack) Queues() []string {
	var names []string
	for _, lane := range message.Lanes() {
		names = append(names, s.QueueOf(lane))
	}
	return append(names, s.Prefix+".dead")
}

// PurgeQueue drops every ready copy of a queue.
func (s *Stack) PurgeQueue(ctx context.Context, queue string) error {
	return s.manage(ctx, http.MethodDelete, "/api/queues/%2F/"+queue+"/contents", nil)
}

// DeleteQueue deletes a queue with all that it holds.
func (s *Stack) DeleteQueue(ctx context.Context, queue string) error {
	return s.manage(ctx, http.MethodDelete, "/api/queues/%2F/"+queue, nil)
}

// CutBrokerConnections has the broker close the connections of the stack's processes
// and returns how many those were. The broker's management learns of a new connection
// only after some seconds.
func (s *Stack) CutBrokerConnections(ctx context.Context) (int, error) {
	var all []struct {
		Name       string `json:"name"`
		Properties struct {
			ConnectionName string `json:"connection_name"`
		} `json:"client_properties"`
	}
	if err := s.manage(ctx, http.MethodGet, "/api/connections", &all); err != nil {
		return 0, err
	}
	cut := 0
	var errs []error
	for _, c := range all {
		if !s.owns(c.Properties.ConnectionName) {
			continue
		}
		errs = append(errs, s.manage(ctx, http.MethodDelete, "/api/connections/"+url.PathEscape(c.Name), nil))
		cut++
	}
	return cut, errors.Join(errs...)
}

// owns tells by the process id at the end of a connection's name.
func (s *Stack) owns(connection string) bool {
	for _, m := range s.Members() {
		if p := m.Process(); p != nil && strings.HasSuffix(connection, fmt.Sprintf("/%d", p.PID())) {
			return true
		}
	}
	return false
}

func (s *Stack) deleteQueues(ctx context.Context) error {
	var errs []error
	for _, name := range s.Queues() {
		errs = append(errs, s.DeleteQueue(ctx, name))
	}
	return errors.Join(append(errs, s.manage(ctx, http.MethodDelete, "/api/exchanges/%2F/"+s.Prefix, nil))...)
}

// manage calls the broker's management API; what is not there is fine.
func (s *Stack) manage(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.layout.Services.Management+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("manage the broker: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 && res.StatusCode != http.StatusNotFound {
		return fmt.Errorf("manage the broker: %s %s: %s", method, path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}
