package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
)

// call makes a request to the API and returns the answer, which must have the
// status.
func (s *stack) call(method, path, body string, status int) []byte {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.api+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		s.Fatalf("%s %s: %d, want %d: %s %v", method, path, res.StatusCode, status, answer, err)
	}
	return answer
}

// byTemplate is an email of the template "order".
func byTemplate(s *stack, variables map[string]any) string {
	s.Helper()
	body, err := json.Marshal(map[string]any{"to": "ann@example.com", "template": map[string]any{"id": "order", "variables": variables}})
	if err != nil {
		s.Fatal(err)
	}
	var receipt struct{ ID string }
	if err := json.Unmarshal(s.call("POST", "/v1/emails", string(body), http.StatusAccepted), &receipt); err != nil {
		s.Fatal(err)
	}
	return receipt.ID
}

const orderTemplate = `{"name":"Order","alias":"order","from":"Shop <shop@example.com>","subject":"Order of {{{NAME}}}",
	"html":"<p title=\"{{NAME}}\">Dear {{{NAME}}}</p>","text":"Dear {{NAME}}","variables":[{"key":"NAME","type":"string"}]}`

func TestAMailSentByTemplateArrivesRenderedAndAHostileValueIsInert(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		s.call("POST", "/v1/templates", orderTemplate, http.StatusCreated)
		s.call("POST", "/v1/templates/order/publish", "", http.StatusOK)
		const hostile = `"><script>alert(1)</script> {{7*7}}`
		s.await(byTemplate(s, map[string]any{"NAME": hostile}), message.StatusSent)
		mails := s.relay.Mails()
		if len(mails) != 1 {
			s.Fatalf("the relay host has %d mails", len(mails))
		}
		mail, err := enmime.ReadEnvelope(bytes.NewReader(mails[0].Data))
		if err != nil {
			s.Fatal(err)
		}
		const inert = `&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}}`
		if want := `<p title="` + inert + `">Dear ` + inert + `</p>`; strings.TrimSpace(mail.HTML) != want {
			s.Errorf("html %q, want %q", mail.HTML, want)
		}
		if want := "Dear " + hostile; strings.TrimSpace(mail.Text) != want || mail.GetHeader("Subject") != "Order of "+hostile {
			s.Errorf("text %q, subject %q", mail.Text, mail.GetHeader("Subject"))
		}
	})
}

func TestWhatWasAcceptedByTemplateDoesNotChangeWithIt(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		s.call("POST", "/v1/templates", orderTemplate, http.StatusCreated)
		s.call("POST", "/v1/templates/order/publish", "", http.StatusOK)
		id := byTemplate(s, map[string]any{"NAME": "Ann"})
		s.call("PATCH", "/v1/templates/order", `{"html":"<p>new {{NAME}}</p>"}`, http.StatusOK)
		s.call("POST", "/v1/templates/order/publish", "", http.StatusOK)
		later := byTemplate(s, map[string]any{"NAME": "Bob"})
		s.call("DELETE", "/v1/templates/order", "", http.StatusOK)
		for id, want := range map[string]string{id: `<p title="Ann">Dear Ann</p>`, later: `<p>new Bob</p>`} {
			if e := s.await(id, message.StatusSent); e.HTML == nil || *e.HTML != want || e.Template == nil {
				s.Errorf("%+v, want %q", e, want)
			}
		}
		s.call("POST", "/v1/emails", `{"to":"ann@example.com","template":{"id":"order"}}`, http.StatusUnprocessableEntity)
	})
}
