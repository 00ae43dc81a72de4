package httpapi

import (
	"fmt"
	"net/http"
	"strings"
)

// absences are the resources of Resend's API that Postrider does not offer, by the
// beginnings of their paths under /v1, with what to do instead. "*" is any step. Where
// Postrider offers other calls of the same path, the method is named.
func absences() map[string]string {
	return map[string]string{
		"domains":            "sender domains are set up with your relay host and its DNS",
		"broadcasts":         "send a batch to /v1/emails/batch instead, in the lane low",
		"audiences":          "keep lists of people in your application",
		"segments":           "keep lists of people in your application",
		"contacts":           "keep lists of people in your application",
		"contact-properties": "keep lists of people in your application",
		"topics":             "keep what people subscribed to in your application",
		"suppressions":       "keep who must not be written to in your application",
		"webhooks":           "ask GET /v1/emails/{id}, or list by status",
		"events":             "ask GET /v1/emails/{id}, or list by status",
		"automations":        "send from your application, with scheduled_at for later",
		"logs":               "the request_id of an answer finds it in the server's log",
		"usage":              "see the metrics of the server",
		"oauth":              "use API keys",
		"inboxes":            "Postrider sends mail and receives none",
		"emails/receiving":   "Postrider sends mail and receives none",
		"emails/metrics":     "see the metrics of the server",
		"emails/*/share":     "show what GET /v1/emails/{id} answers",
		"PATCH api-keys/*":   "a key does not change, so make another and revoke this one with DELETE",
	}
}

// unoffered answers the calls of Resend's that are absent here with 501 and a
// sentence that names them, where 404 would send people to look for a typing
// error. They stand before the routes, since what is under emails/receiving looks
// like an email of that name.
func (a *api) unoffered(next http.Handler) http.Handler {
	table := absences()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not all begin with /v1: of some calls the SDK for Go drops the path of its base URL.
		path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "v1/")
		instead, ok := absent(table, r.Method, path)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		need := toSend
		if r.Method == http.MethodGet {
			need = toRead
		}
		refusing(a.signed(need, func(http.ResponseWriter, *http.Request) error {
			return fault(codeNotImplemented, fmt.Sprintf("Postrider does not offer %s %s: %s", shorten(r.Method), shorten(r.URL.Path), instead))
		})).ServeHTTP(w, r)
	})
}

func absent(table map[string]string, method, path string) (instead string, ok bool) {
	steps := strings.SplitN(path, "/", 3)
	names := []string{steps[0]}
	switch len(steps) {
	case 2:
		names = append(names, path, method+" "+steps[0]+"/*")
	case 3:
		names = append(names, steps[0]+"/"+steps[1], steps[0]+"/*/"+steps[2])
	}
	for _, name := range names {
		if instead, ok = table[name]; ok {
			return instead, true
		}
	}
	return "", false
}
