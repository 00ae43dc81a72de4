package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/wire"
)

// producers are the addresses of the stack's API: of two producers where it is
// distributed.
func (s *stack) producers() []string {
	s.Helper()
	if s.mode == embedded {
		return []string{s.api}
	}
	addr := freeAddress(s.TB)
	p := launch(s.TB, "producer", s.environ("POSTRIDER_LISTEN="+addr, s.metricsListen()))
	s.awaitReady(p, "http://"+addr)
	return []string{s.api, "http://" + addr}
}

// call asks one producer with a key.
func (s *stack) call(base, key, method, path string, body any) response {
	s.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			s.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, base+path, bytes.NewReader(data))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	res, err := caller.Do(req)
	if err != nil {
		s.Error(err)
		return response{}
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Error(err)
	}
	return response{res.StatusCode, res.Header, text}
}

// makeKey makes a key over the API.
func (s *stack) makeKey(draft map[string]any) wire.CreatedKey {
	s.Helper()
	res := s.call(s.api, apiKey, http.MethodPost, "/v1/api-keys", draft)
	var made wire.CreatedKey
	if err := json.Unmarshal(res.body, &made); err != nil || res.status != http.StatusCreated {
		s.Fatalf("make a key: %d %s", res.status, res.body)
	}
	return made
}

func (s *stack) wants(what string, res response, status int) {
	s.Helper()
	if res.status != status {
		s.Errorf("%s: %d %s, want %d", what, res.status, res.body, status)
	}
}

// What a key is told at its making holds at every producer: it sends, from the
// senders it has, and does nothing else; and once it is revoked at one producer,
// within five seconds nobody takes it any more.
func TestAKeyDoesWhatItIsForUntilItIsRevoked(t *testing.T) {
	inBothModes(t, setting{consumers: 1}, func(s *stack) {
		all := s.producers()
		last := all[len(all)-1]
		made := s.makeKey(map[string]any{"name": "shop", "scope": "sending", "domains": []string{"sender.example"}})
		res := s.call(last, made.Token, http.MethodPost, "/v1/emails", mail("ann@example.com"))
		s.wants("send", res, http.StatusAccepted)
		var receipt wire.Receipt
		if err := json.Unmarshal(res.body, &receipt); err != nil {
			t.Fatal(err)
		}
		s.await(receipt.ID, message.StatusSent)
		s.wants("read", s.call(last, made.Token, http.MethodGet, "/v1/emails/"+receipt.ID, nil), http.StatusUnauthorized)
		s.wants("make a key", s.call(last, made.Token, http.MethodPost, "/v1/api-keys", map[string]any{"name": "x"}), http.StatusUnauthorized)
		s.wants("send from elsewhere", s.call(last, made.Token, http.MethodPost, "/v1/emails", mail("ann@example.com").with("from", "a@bank.example")), http.StatusForbidden)

		s.wants("revoke", s.call(s.api, apiKey, http.MethodDelete, "/v1/api-keys/"+made.ID, nil), http.StatusOK)
		revoked := time.Now()
		s.eventually("the other producer refuses it", func() bool {
			begun := time.Now()
			res := s.call(last, made.Token, http.MethodPost, "/v1/emails", mail("bob@example.com"))
			if res.status == http.StatusAccepted && begun.Sub(revoked) > 5*time.Second {
				t.Errorf("taken %v after it was revoked", begun.Sub(revoked))
			}
			return res.status == http.StatusForbidden && strings.Contains(string(res.body), "invalid_api_key")
		})
	})
}

// However many producers a key's requests go to, together they are granted what
// its rate and its quota say, and the headers tell.
func TestProducersShareAKeysRateAndQuota(t *testing.T) {
	inBothModes(t, setting{consumers: 1}, func(s *stack) {
		all := s.producers()
		const rate, quota = 5, 8
		limited := s.makeKey(map[string]any{"name": "limited", "rate": rate})
		begun := time.Now()
		accepted, refused := s.flood(all, limited.Token, 120)
		most := rate + int(time.Since(begun).Seconds()*rate) + 1
		least := rate - 1 // two that wait for each other are a moment apart by their clocks
		if accepted < least || accepted > most || refused == 0 {
			t.Errorf("%d accepted and %d refused within %v, want from %d to %d", accepted, refused, time.Since(begun), least, most)
		}
		daily := s.makeKey(map[string]any{"name": "daily", "daily_quota": quota})
		if accepted, _ := s.flood(all, daily.Token, 40); accepted != quota {
			t.Errorf("%d accepted on a quota of %d recipients", accepted, quota)
		}
		s.eventually("the last use of both was noted", func() bool {
			var list wire.KeyList
			res := s.call(s.api, apiKey, http.MethodGet, "/v1/api-keys", nil)
			return json.Unmarshal(res.body, &list) == nil && len(list.Data) == 2 &&
				!list.Data[0].LastUsedAt.IsZero() && !list.Data[1].LastUsedAt.IsZero()
		})
	})
}

// flood posts n emails to the producers at once and counts the answers.
func (s *stack) flood(all []string, key string, n int) (accepted, refused int) {
	var mu sync.Mutex
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			res := s.call(all[i%len(all)], key, http.MethodPost, "/v1/emails", mail(fmt.Sprintf("r%d@example.com", i)))
			mu.Lock()
			defer mu.Unlock()
			switch res.status {
			case http.StatusAccepted:
				accepted++
			case http.StatusTooManyRequests:
				if refused++; res.header.Get("Retry-After") == "" {
					s.Errorf("refused without Retry-After: %s", res.body)
				}
			default:
				s.Errorf("%d %s", res.status, res.body)
			}
		})
	}
	callers.Wait()
	return accepted, refused
}
