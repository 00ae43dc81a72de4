package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/smtptest"
)

// interpreters run a file of their language.
func interpreters() map[string][]string {
	return map[string][]string{"sh": {"bash", "-eu"}, "js": {"node"}, "go": {"go", "run"}, "python": {"python3"}}
}

// run runs the block as a reader would who has this server instead of the one
// the page speaks of.
func (b block) run(s *stack, dir string, env ...string) {
	s.Helper()
	command := interpreters()[b.language]
	if command == nil {
		s.Fatalf("no test knows how to run %q", b.language)
	}
	file := filepath.Join(dir, "example."+map[string]string{"js": "mjs", "go": "go", "python": "py"}[b.language])
	text := strings.NewReplacer(
		"http://127.0.0.1:8080", s.api, "https://your-host", s.api,
		"http://127.0.0.1:9091", s.metrics[len(s.metrics)-1], "pr_dev_key_not_a_secret", apiKey,
	).Replace(b.text)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Minute) // one in Go is compiled first, with all that it imports
	defer cancel()
	example := exec.CommandContext(ctx, command[0], append(command[1:], file)...)
	example.WaitDelay = 10 * time.Second // for what it started and left behind
	example.Env = append(append(os.Environ(), "DATABASE_URL="+s.database, "POSTRIDER_API_KEY="+apiKey), env...)
	if b.language != "go" { // which looks here for the module of its imports
		example.Dir = dir // where it leaves its files
	}
	if out, err := example.CombinedOutput(); err != nil {
		s.Errorf("%s, %s: %v\n%s\n%s", b.page, b.language, err, text, out)
	}
}

// TestTheQuickStartWorksAsItStands runs every example of the page; the mail of
// each arrives, under the name of its language.
func TestTheQuickStartWorksAsItStands(t *testing.T) {
	examples := examplesOf(t, quickStart)
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	inBothModes(t, setting{}, func(s *stack) {
		for _, b := range examples {
			b.run(s, withPackages(s.TB))
		}
		if s.Failed() {
			return
		}
		if err := s.relay.AwaitMails(s.Context(), len(examples)); err != nil {
			s.Fatal(err)
		}
		for _, from := range []string{"curl", "Node", "Resend's SDK", "Go", "Python"} {
			if !slices.ContainsFunc(s.relay.Mails(), func(m smtptest.Transaction) bool {
				return strings.Contains(string(m.Data), "Subject: Hello from "+from+"\r\n")
			}) {
				s.Errorf("no mail came from %s", from)
			}
		}
	})
}

// withPackages is a folder where npm seems to have installed what examples import.
func withPackages(t testing.TB) string {
	t.Helper()
	installed, err := filepath.Abs("sdk/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(installed, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asOneScript joins the shell examples of a page in their order, for this server. A
// call that is refused ends it.
func asOneScript(s *stack, examples []block, id string) block {
	call := "() { POSTRIDER_URL=" + s.api + " " + binary("postrider") + " \"$@\"; }\n"
	script := "curl() { command curl --fail-with-body -sS \"$@\" && echo; }\nbin/postrider" + call + "postrider" + call
	for _, b := range examples {
		script += regexp.MustCompile(`(?m)^ID=\S+`).ReplaceAllString(b.text, "ID="+id)
	}
	return block{examples[0].page, "sh", script}
}

// TestTheExamplesOfThePagesWork runs what README and the pages of the API, of keys, of
// templates and of operation say to a shell: from an email that waits for its time,
// through its cancellation, to its end.
func TestTheExamplesOfThePagesWork(t *testing.T) {
	pages := map[string][]block{}
	for _, b := range examplesOf(t, asScript) {
		pages[b.page] = append(pages[b.page], b)
	}
	inBothModes(t, setting{}, func(s *stack) {
		for page, examples := range pages {
			id := s.post(mail("later@example.com").with("scheduled_at", time.Now().Add(time.Hour).Format(time.RFC3339)))
			if page == "docs/keys.md" {
				id = s.makeKey(map[string]any{"name": "old"}).ID
			}
			asOneScript(s, examples, id).run(s, withTemplate(s.TB))
		}
	})
}

// withTemplate is a folder with the files of a template that a page speaks of.
func withTemplate(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"order.json": `{"name": "Order", "alias": "order", "subject": "Order", "variables": [{"key": "NAME", "type": "string"}], "layout": null, "locales": null}`,
		"order.html": "<p>Dear {{NAME}}</p>",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestTheChangeOfAnApplicationThatComesFromResendWorks makes the clients of the page,
// also as it says of the variable, and lets each make a call.
func TestTheChangeOfAnApplicationThatComesFromResendWorks(t *testing.T) {
	if err := nodeSDK(); err != nil {
		t.Fatal(err)
	}
	around := map[string][2]string{
		"js": {"", "const { error } = await resend.emails.list();\nif (error) throw new Error(error.message);\n"},
		"go": {"package main\n\nimport (\n\t\"net/url\"\n\t\"os\"\n\n\t\"github.com/resend/resend-go/v3\"\n)\n\nvar _ = url.Parse\n\nfunc main() {\n\tvar err error\n",
			"if err != nil {\n\tpanic(err)\n}\nif _, err := client.Emails.List(); err != nil {\n\tpanic(err)\n}\n}\n"},
	}
	byVariable := strings.NewReplacer(", { baseUrl: 'https://your-host/v1' }", "", `client.BaseURL, err = url.Parse("https://your-host/v1/")`, "")
	inBothModes(t, setting{}, func(s *stack) {
		for _, b := range examplesOf(t, fromResend) {
			code := b.text
			b.text = around[b.language][0] + code + around[b.language][1]
			b.run(s, withPackages(s.TB))
			short := byVariable.Replace(code)
			if short == code {
				s.Errorf("%s: the base URL is not there:\n%s", b.page, code)
			}
			b.text = around[b.language][0] + short + around[b.language][1]
			b.run(s, withPackages(s.TB), "RESEND_BASE_URL="+s.api+"/v1"+map[string]string{"go": "/"}[b.language])
		}
	})
}

// TestTheSettingsOfThePagesAreTaken asks the program whether it would start with them.
func TestTheSettingsOfThePagesAreTaken(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "bucket")
	if err := os.WriteFile(secret, []byte("not-a-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range examplesOf(t, settings) {
		for _, program := range []string{"producer", "consumer"} {
			config := exec.Command(binary("postrider"), "config", program)
			config.Env = []string{"POSTRIDER_DATABASE_URL=postgres://x/y", "POSTRIDER_RABBITMQ_URL=amqp://x", "POSTRIDER_SMTP_URL=smtp://x"}
			if program == "producer" {
				config.Env = append(config.Env, "POSTRIDER_API_KEYS=default:"+apiKey)
			}
			text := strings.ReplaceAll(b.text, "/run/secrets/bucket", secret)
			for _, m := range regexp.MustCompile(`(?m)^  (POSTRIDER_\w+): (.*)$`).FindAllStringSubmatch(text, -1) {
				config.Env = append(config.Env, m[1]+"="+m[2])
			}
			if out, err := config.CombinedOutput(); err != nil || !strings.Contains(string(out), "POSTRIDER_BLOB_URL") {
				t.Errorf("%s, %s: %v\n%s\n%s", b.page, program, err, b.text, out)
			}
		}
	}
}

// TestTheServersOfThePagesWouldStart asks the program for its settings where a page
// starts a server.
func TestTheServersOfThePagesWouldStart(t *testing.T) {
	for _, b := range examplesOf(t, servers) {
		text := strings.ReplaceAll(b.text, "bin/postrider serve", binary("postrider")+" config serve")
		out, err := exec.Command("bash", "-eu", "-c", text).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "POSTRIDER_SMTP_URL=smtp://user:xxxxx@") {
			t.Errorf("%s: %v\n%s\n%s", b.page, err, text, out)
		}
	}
}
