package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/jhillyerd/enmime/v2"

	"github.com/postrider/postrider/internal/message"
)

// ask makes a request with the key of the story, whose answer must have the
// status. Body is JSON; "": none.
func (s *stack) ask(method, path, body string, status int) []byte {
	s.Helper()
	var value any
	if body != "" {
		value = json.RawMessage(body)
	}
	answer := s.call(s.api, apiKey, method, path, value)
	if answer.status != status {
		s.Fatalf("%s %s: %d, want %d: %s", method, path, answer.status, status, answer.body)
	}
	return answer.body
}

// byTemplate is an email of the template "order".
func byTemplate(s *stack, variables map[string]any) string {
	s.Helper()
	body, err := json.Marshal(map[string]any{"to": "ann@example.com", "template": map[string]any{"id": "order", "variables": variables}})
	if err != nil {
		s.Fatal(err)
	}
	var receipt struct{ ID string }
	if err := json.Unmarshal(s.ask("POST", "/v1/emails", string(body), http.StatusAccepted), &receipt); err != nil {
		s.Fatal(err)
	}
	return receipt.ID
}

const orderTemplate = `{"name":"Order","alias":"order","from":"Shop <shop@example.com>","subject":"Order of {{{NAME}}}",
	"html":"<p title=\"{{NAME}}\">Dear {{{NAME}}}</p>","text":"Dear {{NAME}}","variables":[{"key":"NAME","type":"string"}]}`

func TestAMailSentByTemplateArrivesRenderedAndAHostileValueIsInert(t *testing.T) {
	inBothModes(t, setting{}, func(s *stack) {
		s.ask("POST", "/v1/templates", orderTemplate, http.StatusCreated)
		s.ask("POST", "/v1/templates/order/publish", "", http.StatusOK)
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
		s.ask("POST", "/v1/templates", orderTemplate, http.StatusCreated)
		s.ask("POST", "/v1/templates/order/publish", "", http.StatusOK)
		id := byTemplate(s, map[string]any{"NAME": "Ann"})
		s.ask("PATCH", "/v1/templates/order", `{"html":"<p>new {{NAME}}</p>"}`, http.StatusOK)
		s.ask("POST", "/v1/templates/order/publish", "", http.StatusOK)
		later := byTemplate(s, map[string]any{"NAME": "Bob"})
		s.ask("DELETE", "/v1/templates/order", "", http.StatusOK)
		for id, want := range map[string]string{id: `<p title="Ann">Dear Ann</p>`, later: `<p>new Bob</p>`} {
			if e := s.await(id, message.StatusSent); e.HTML == nil || *e.HTML != want || e.Template == nil {
				s.Errorf("%+v, want %q", e, want)
			}
		}
		s.ask("POST", "/v1/emails", `{"to":"ann@example.com","template":{"id":"order"}}`, http.StatusUnprocessableEntity)
	})
}
