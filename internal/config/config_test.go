package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/postrider/postrider/internal/message"
)

const longKey = "0123456789abcdef0123"

// environ makes the given settings the only ones of Postrider in the process
// environment, for the time of the test.
func environ(t *testing.T, settings map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "POSTRIDER_") {
			t.Setenv(name, value) // so that it is restored
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range settings {
		t.Setenv("POSTRIDER_"+name, value)
	}
}

// complete is an environment that every program starts with.
func complete(changes map[string]string) map[string]string {
	settings := map[string]string{
		"DATABASE_URL": "postgres://postrider:pw@db:5432/postrider",
		"RABBITMQ_URL": "amqp://guest:pw@mq1:5672/,amqps://guest:pw@mq2/",
		"SMTP_URL":     "smtp://user:pw@mail.example.com",
		"API_KEYS":     "acme:" + longKey + ",fedcba98765432100123",
	}
	for name, value := range changes {
		if value == "-" {
			delete(settings, name)
			continue
		}
		settings[name] = value
	}
	return settings
}

func TestDevNeedsNothing(t *testing.T) {
	environ(t, nil)
	var dev Dev
	if err := Load(&dev); err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"listen":   {dev.Listen.String(), "127.0.0.1:8080"},
		"metrics":  {dev.Metrics.Listen.String(), "127.0.0.1:9090"},
		"inbox":    {dev.Inbox.Listen.String(), "127.0.0.1:8025"},
		"smtp":     {dev.Inbox.SMTPListen.String(), "127.0.0.1:1025"},
		"database": {dev.Database.URL.String(), "sqlite:data/postrider.db"},
		"key":      {dev.APIKeys[0].Key.Reveal(), DevKey},
		"lanes":    {dev.Consumers.String(), "critical:8,high:16,normal:32,low:8"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if dev.RabbitMQ.URL.Set() || dev.SMTP.URL.Set() {
		t.Error("dev has a broker or a relay host that nobody gave")
	}
	if dev.Lease != 20*time.Second || dev.ReplyTimeout != 10*time.Minute || dev.RetryWindow != 72*time.Hour {
		t.Error("durations:", dev.Lease, dev.ReplyTimeout, dev.RetryWindow)
	}
}

func TestEveryProgramStartsOnACompleteEnvironment(t *testing.T) {
	environ(t, complete(nil))
	for _, p := range programs() {
		if err := Load(p); err != nil {
			t.Errorf("%s: %v", p.name(), err)
		}
	}
}

func TestWhatHasNoDefaultMayBeEmpty(t *testing.T) {
	for _, name := range []string{"PUBLIC_URL", "HELLO_NAME", "RABBITMQ_URL", "SMTP_URL", "BLOB_ALSO", "BLOB_ACCESS_KEY", "BLOB_SECRET_KEY", "ATTACHMENT_FETCH_ALLOW"} {
		environ(t, map[string]string{name: ""})
		if err := Load(new(Dev)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnprefixedNamesAreNotRead(t *testing.T) {
	environ(t, complete(map[string]string{"RABBITMQ_URL": "-"}))
	t.Setenv("RABBITMQ_URL", "amqp://leaked/")
	t.Setenv("URL", "amqp://leaked/")
	var serve Serve
	if err := Load(&serve); err != nil {
		t.Fatal(err)
	}
	if serve.RabbitMQ.URL.Set() {
		t.Error("read RABBITMQ_URL without its prefix")
	}
}

func TestValuesAreRead(t *testing.T) {
	environ(t, complete(map[string]string{
		"CONSUMERS": "low:1, critical:2", "SMTP_URL": "smtp://us%40er:p%2Fw@mail:2525?tls=implicit",
		"HELLO_NAME": "mx.example.com", "LOG_LEVEL": "debug", "QUEUE_TYPE": "classic", "MARK": "hold",
	}))
	var c Consumer
	if err := Load(&c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Consumers{message.LaneLow: 1, message.LaneCritical: 2}, c.Consumers); diff != "" {
		t.Error(diff)
	}
	if s := c.SMTP.URL; s.User != "us@er" || s.Password.Reveal() != "p/w" || s.Address() != "mail:2525" || s.TLS != TLSImplicit {
		t.Errorf("%+v", s)
	}
	if c.HelloName != "mx.example.com" || c.Log.Minimum().String() != "DEBUG" || c.Queue.Type != "classic" || c.Mark != "hold" || c.Consumers.Total() != 3 {
		t.Errorf("%+v", c)
	}
	if got := c.RabbitMQ.URL.All(); len(got) != 2 || got[1] != "amqps://guest:pw@mq2/" {
		t.Error(got)
	}
}

func TestRelayHostIsWrittenBack(t *testing.T) {
	for _, text := range []string{
		"smtp://us%40er:p%2Fw%3A@mail:2525?tls=implicit", "smtp://mail.example.com:587?tls=required", "smtp://[::1]:25?tls=none",
	} {
		var s SMTPURL
		if err := s.Decode(text); err != nil || s.Reveal() != text {
			t.Errorf("%s: %v, %v", text, s.Reveal(), err)
		}
	}
	for listen, want := range map[Address]string{
		":1025": "smtp://127.0.0.1:1025?tls=none", "0.0.0.0:1": "smtp://127.0.0.1:1?tls=none", "[::1]:25": "smtp://[::1]:25?tls=none", "inbox:25": "smtp://inbox:25?tls=none",
	} {
		if got := Plain(listen); got.Reveal() != want {
			t.Errorf("%s: %s", listen, got.Reveal())
		}
	}
}

// faultCases: the setting changed from a complete environment, the program, and
// what its only fault says.
func faultCases() map[string]struct{ program, name, value, problem, remedy string } {
	type c = struct{ program, name, value, problem, remedy string }
	return map[string]c{
		"no database":              {"producer", "DATABASE_URL", "-", "is not set", "postgres://"},
		"empty database":           {"producer", "DATABASE_URL", "", "is empty", "postgres://"},
		"database of another kind": {"serve", "DATABASE_URL", "mysql://u:p@h/d", "neither postgres", "sqlite:FILE"},
		"database without host":    {"serve", "DATABASE_URL", "postgres:///db", "names no host", "host"},
		"password not escaped":     {"serve", "DATABASE_URL", "postgres://u:12/34@h/db", "not a URL", "%2F"},
		"percent sign not escaped": {"serve", "SMTP_URL", "smtp://u:50%off@h", "not a URL", "%25"},
		"file for a producer":      {"producer", "DATABASE_URL", "sqlite:x.db", "SQLite file", "postrider serve"},
		"file for a consumer":      {"consumer", "DATABASE_URL", "sqlite:x.db", "SQLite file", "postrider serve"},
		"file beside a broker":     {"serve", "DATABASE_URL", "sqlite:x.db", "SQLite file", "postgres://"},
		"no file named":            {"serve", "DATABASE_URL", "sqlite:", "names no file", "data/postrider.db"},
		"file as a URL":            {"serve", "DATABASE_URL", "sqlite:///x.db", "not sqlite: and a path", "sqlite:data"},
		"file in memory":           {"serve", "DATABASE_URL", "sqlite::memory:", "memory", "sqlite:data"},
		"nothing to migrate":       {"migrate", "DATABASE_URL", "-", "is not set", "sqlite:FILE"},
		"producer without broker":  {"producer", "RABBITMQ_URL", "-", "is not set", "postrider serve"},
		"consumer without broker":  {"consumer", "RABBITMQ_URL", "", "is not set", "postrider serve"},
		"http broker":              {"consumer", "RABBITMQ_URL", "http://h:15672", "neither amqp://", "amqp://user"},
		"broker without host":      {"consumer", "RABBITMQ_URL", "amqp:///", "without a host", "amqp://user"},
		"second broker bad":        {"dev", "RABBITMQ_URL", "amqp://h,,", "neither amqp://", "separated by commas"},
		"queue prefix":             {"producer", "RABBITMQ_PREFIX", "a b", "queue's name", "letters"},
		"queue type":               {"producer", "QUEUE_TYPE", "lazy", `is "lazy"`, "quorum, classic"},
		"no relay host":            {"consumer", "SMTP_URL", "-", "is not set", "postrider dev"},
		"smtps":                    {"consumer", "SMTP_URL", "smtps://h", "smtps", "tls=implicit"},
		"smtp without scheme":      {"consumer", "SMTP_URL", "mail.example.com:587", "not a URL", "smtp://"},
		"smtp tls word":            {"consumer", "SMTP_URL", "smtp://h?tls=yes", "tls that is not", "required"},
		"smtp tls empty":           {"consumer", "SMTP_URL", "smtp://h?tls=", "tls that is not", "required"},
		"smtp other parameter":     {"consumer", "SMTP_URL", "smtp://h?starttls=1", "another parameter", "tls=required"},
		"smtp port":                {"consumer", "SMTP_URL", "smtp://h:0", "no port", "587"},
		"smtp on port 465":         {"consumer", "SMTP_URL", "smtp://u:p@h:465", "TLS comes first", "add ?tls=implicit"},
		"smtp path":                {"consumer", "SMTP_URL", "smtp://h/x", "path", "smtp://"},
		"smtp password in clear":   {"consumer", "SMTP_URL", "smtp://u:p@mail?tls=none", "clear text", "tls=required"},
		"smtp half a login":        {"consumer", "SMTP_URL", "smtp://u@mail", "no password", "user:password"},
		"no keys":                  {"producer", "API_KEYS", "-", "is not set", "openssl rand"},
		"short key":                {"serve", "API_KEYS", "acme:short", "tenant acme", "longer"},
		"the known key":            {"serve", "API_KEYS", DevKey, "everybody knows", "of your own"},
		"key twice":                {"serve", "API_KEYS", "a:" + longKey + ",b:" + longKey, "entry 2 twice", "once"},
		"key with a space":         {"serve", "API_KEYS", "0123456789abcdef 0123", "entry 1", "tenant:key"},
		"key empty":                {"serve", "API_KEYS", "acme:", "entry 1", "tenant:key"},
		"tenant in capitals":       {"serve", "API_KEYS", "ACME:" + longKey, "entry 1", "lower-case"},
		"trailing comma":           {"serve", "API_KEYS", longKey + ",", "entry 2", "tenant:key"},
		"client key with tenant":   {"client", "API_KEY", "acme:" + longKey, "is not a key", "without tenant"},
		"client without scheme":    {"client", "URL", "localhost:8080", "http://", "https://host"},
		"client with login":        {"client", "URL", "http://u:p@h", "more than", "POSTRIDER_API_KEY"},
		"client with the version":  {"client", "URL", "http://h/v1/", "ends with /v1", "leave that out"},
		"client with a mark":       {"client", "URL", "http://h/?", "more than", "https://host"},
		"listen without port":      {"producer", "LISTEN", "localhost", "not a listen address", "host:port"},
		"listen on a word":         {"producer", "LISTEN", ":http", "no port", "127.0.0.1:8080"},
		"listen on a bad host":     {"producer", "LISTEN", "a b:80", "neither a name", "host:port"},
		"listen emptied":           {"producer", "LISTEN", "", "is empty", "default :8080"},
		"one port for two":         {"producer", "METRICS_LISTEN", "127.0.0.1:8080", "port of POSTRIDER_METRICS_LISTEN", "of its own"},
		"one port for the inbox":   {"dev", "INBOX_SMTP_LISTEN", "127.0.0.1:8025", "POSTRIDER_INBOX_LISTEN =127.0.0.1:8025 has the port of POSTRIDER_INBOX_SMTP_LISTEN", "of its own"},
		"unknown lane":             {"consumer", "CONSUMERS", "bulk:3", `"bulk"`, "critical, high, normal and low"},
		"lane twice":               {"consumer", "CONSUMERS", "low:3,low:4", "twice", "once"},
		"lane without count":       {"consumer", "CONSUMERS", "low", "not lane:count", "critical:8"},
		"negative count":           {"consumer", "CONSUMERS", "low:-1", `"-1"`, "0 to 1000"},
		"no consumer at all":       {"consumer", "CONSUMERS", "low:0", "every lane 0", "at least one"},
		"more than a connection":   {"consumer", "CONSUMERS", "critical:1,high:1000,low:1000", "2001 together", "at most 2000"},
		"no unit":                  {"consumer", "LEASE", "20", "is not a duration", "such as 20s"},
		"too short a lease":        {"consumer", "LEASE", "1s", "is 1s", "from 6s to 10m"},
		"timeouts past the broker": {"consumer", "REPLY_TIMEOUT", "15m", "is 15m0s", "from"},
		"sweep slower than lease":  {"serve", "SWEEP_INTERVAL", "30s", "longer than POSTRIDER_LEASE", "shorter"},
		"kept for a word":          {"producer", "RETENTION", "long", "neither forever", "such as 90d"},
		"kept for no days":         {"serve", "RETENTION", "0d", "shorter than 24h", "24h or more"},
		"kept for an hour":         {"serve", "RETENTION", "1h", "shorter than 24h", "24h or more"},
		"kept for ages":            {"dev", "RETENTION", "36501d", "longer than 36500d", "forever"},
		"kept for very long":       {"dev", "RETENTION", "99999999999d", "neither forever", "such as 90d"},
		"kept for less than none":  {"dev", "RETENTION", "-3d", "neither forever", "such as 90d"},
		"connections":              {"producer", "DATABASE_CONNS", "many", "whole number", "such as 16"},
		"too many connections":     {"producer", "DATABASE_CONNS", "5000", "is 5000", "from 4 to 500"},
		"no such marking":          {"consumer", "MARK", "never", `"never"`, "always, hold"},
		"hello":                    {"consumer", "HELLO_NAME", "no name", "host name", "mail.example.com"},
		"hello with a Kelvin sign": {"consumer", "HELLO_NAME", "mail.\u212Aelvin.example", "host name", "mail.example.com"},
		"prefix of a Kelvin sign":  {"consumer", "RABBITMQ_PREFIX", "\u212A", "queue's name", "letters"},
		"key with a Kelvin sign":   {"producer", "API_KEYS", "\u212A" + longKey, "entry 1", "tenant:key"},
		"log level":                {"consumer", "LOG_LEVEL", "trace", `"trace"`, "debug, info"},
		"migrate":                  {"serve", "MIGRATE", "yes", `"yes"`, "auto, off"},
		"unknown":                  {"consumer", "RABBIT_URL", "x", "is not a setting", "POSTRIDER_RABBITMQ_URL"},
		"file of no secret":        {"consumer", "LEASE_FILE", "x", "is not a setting", "POSTRIDER_LEASE"},
		"port of a person":         {"consumer", "PORT", "8080", "is not a setting: see", "config --reference"},
		"both forms of a secret":   {"consumer", "SMTP_URL_FILE", "/dev/null", "and so is", "unset one"},
		"open to all with the key": {"dev", "LISTEN", "0.0.0.0:8080", "reachable from outside", "127.0.0.1"},
		"a lane nobody sends":      {"dev", "CONSUMERS", "high:1,normal:1,low:1", "lane critical", "at least 1"},
	}
}

func TestEveryFaultNamesTheSettingAndTheRemedy(t *testing.T) {
	for name, c := range faultCases() {
		t.Run(name, func(t *testing.T) {
			settings := complete(map[string]string{c.name: c.value})
			if c.program == "dev" && c.name != "RABBITMQ_URL" {
				settings = map[string]string{c.name: c.value}
			}
			if name == "timeouts past the broker" {
				settings["SEND_TIMEOUT"] = "10m"
				c.problem, c.remedy = "25m0s together", "30m"
			}
			environ(t, settings)
			var wrong *Error
			if err := Load(New(c.program)); !errors.As(err, &wrong) {
				t.Fatalf("not refused: %v", err)
			}
			if len(wrong.Faults) != 1 {
				t.Fatalf("want one fault:\n%v", wrong)
			}
			line := wrong.Error()
			for _, want := range []string{"POSTRIDER_", c.problem, c.remedy, "settings of " + c.program} {
				if !strings.Contains(line, want) {
					t.Errorf("%q is not in: %s", want, line)
				}
			}
		})
	}
}

func TestWithoutABrokerNoConnectionBoundsTheConsumers(t *testing.T) {
	environ(t, complete(map[string]string{"RABBITMQ_URL": "-", "CONSUMERS": "critical:1000,high:1000,normal:1000,low:1000"}))
	if err := Load(new(Serve)); err != nil {
		t.Error(err)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	environ(t, map[string]string{"LISTEN": "x", "LEASE": "x", "DATABASE_CONNS": "x", "SMTP_URL": "x", "TYPO": "x"})
	var wrong *Error
	if err := Load(new(Serve)); !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	var names []string
	for _, f := range wrong.Faults {
		names = append(names, strings.TrimPrefix(f.Name, "POSTRIDER_"))
	}
	want := []string{"TYPO", "LISTEN", "DATABASE_CONNS", "SMTP_URL", "LEASE", "API_KEYS", "DATABASE_URL"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfOthersAreLetThrough(t *testing.T) {
	environ(t, complete(map[string]string{
		"TEST_DATABASE_URL": "x", "INBOX_LISTEN": "broken, but a setting of dev only",
	}))
	if err := Load(new(Consumer)); err != nil {
		t.Error(err)
	}
}

// These are all that Kubernetes makes of a service, and it gives them to every
// container of the namespace.
func TestTheServicesOfKubernetesAreLetThrough(t *testing.T) {
	for _, service := range []string{"", "PRODUCER_"} {
		settings := map[string]string{}
		for name, value := range map[string]string{
			"SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "8080", "SERVICE_PORT_HTTP": "8080",
			"PORT": "tcp://10.0.0.1:8080", "PORT_8080_TCP": "tcp://10.0.0.1:8080", "PORT_8080_TCP_PROTO": "tcp",
			"PORT_8080_TCP_PORT": "8080", "PORT_8080_TCP_ADDR": "10.0.0.1",
		} {
			settings[service+name] = value
		}
		environ(t, complete(settings))
		if err := Load(new(Consumer)); err != nil {
			t.Error(err)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := file("smtp://u:p@mail\r\n")
	environ(t, complete(map[string]string{"SMTP_URL": "-", "SMTP_URL_FILE": path}))
	var c Consumer
	if err := Load(&c); err != nil || c.SMTP.URL.Password.Reveal() != "p" {
		t.Fatalf("%v, %v", err, c.SMTP.URL)
	}
	if s := effective(&c, "POSTRIDER_SMTP_URL"); s.Source != "file "+path {
		t.Error(s)
	}
	for name, value := range map[string]string{"missing": "/nowhere", "empty": file("\n"), "large": file(strings.Repeat("x", 70<<10)), "wrong": file("http://u:hunter2@h")} {
		t.Setenv("POSTRIDER_SMTP_URL_FILE", value)
		err := Load(new(Consumer))
		var wrong *Error
		if !errors.As(err, &wrong) || len(wrong.Faults) != 1 || !strings.Contains(err.Error(), "POSTRIDER_SMTP_URL_FILE") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the secret is in: %v", name, err)
		}
	}
}

func effective(p interface{ Effective() []Setting }, name string) Setting {
	for _, s := range p.Effective() {
		if s.Name == name {
			return s
		}
	}
	return Setting{}
}

func TestEffectiveIsSortedAndRedacted(t *testing.T) {
	environ(t, complete(map[string]string{"LEASE": "30s"}))
	var c Consumer
	if err := Load(&c); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range c.Effective() {
		lines = append(lines, s.String())
	}
	want := `POSTRIDER_BLOB_ACCESS_KEY=  # not set
POSTRIDER_BLOB_ALSO=  # not set
POSTRIDER_BLOB_SECRET_KEY=  # not set
POSTRIDER_BLOB_URL=db:  # default
POSTRIDER_CONSUMERS=critical:8,high:16,normal:32,low:8  # default
POSTRIDER_DATABASE_CONNS=16  # default
POSTRIDER_DATABASE_URL=postgres://postrider:xxxxx@db:5432/postrider  # environment
POSTRIDER_HELLO_NAME=  # not set
POSTRIDER_LEASE=30s  # environment
POSTRIDER_LOG_FORMAT=auto  # default
POSTRIDER_LOG_LEVEL=info  # default
POSTRIDER_MARK=always  # default
POSTRIDER_METRICS_LISTEN=:9091  # default
POSTRIDER_QUEUE_PARCEL=1  # default
POSTRIDER_QUEUE_TYPE=quorum  # default
POSTRIDER_RABBITMQ_PREFIX=postrider  # default
POSTRIDER_RABBITMQ_URL=amqp://guest:xxxxx@mq1:5672/,amqps://guest:xxxxx@mq2/  # environment
POSTRIDER_REPLY_TIMEOUT=10m0s  # default
POSTRIDER_RETRY_WINDOW=72h0m0s  # default
POSTRIDER_SEND_TIMEOUT=2m0s  # default
POSTRIDER_SHUTDOWN_GRACE=30s  # default
POSTRIDER_SMTP_URL=smtp://user:xxxxx@mail.example.com:587?tls=required  # environment`
	if diff := cmp.Diff(want, strings.Join(lines, "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestNoSecretIsEverShown puts a secret into every secret setting of every
// program, well and badly written, and looks for it in all that can be printed.
func TestNoSecretIsEverShown(t *testing.T) {
	const canary = "c4n4ryc4n4ryc4n4ry"
	shapes := []string{
		"%s", "x:%s", "acme:%s", "acme:%[1]s,acme:%[1]s", "acme:%s!", "acme:x%s y", ":%s", "%s ",
		"postgres://u:%s@h/db", "postgres://u:%s@h:x/db", "postgres://h/db?password=%s", "postgres://h/db?pass%%77ord=%s",
		"postgres://u:1/%s@h/db", "postgres://u:1?%s@h/db", "postgres://u:1#%s@h/db", "postgres://u:%%zz%s@h/db", "mysql://u:%s@h",
		"sqlite://u:%s@h", "amqp://u:%s@h/", "amqp://u:%s@h:x/", "amqp://u:1,%s@h/", "amqp://u:1/%s@h/", "http://u:%s@h",
		"smtp://u:%s@h", "smtp://u:%s@h?tls=none", "smtp://u:%s@h?tls=no", "smtp://u:1?%s@h", "smtp://:%s@h", "smtp://u:%s@h:0", "smtps://u:%s@h",
	}
	for _, p := range programs() {
		for _, s := range settingsOf(p) {
			for _, shape := range shapes {
				if s.secret() {
					name := strings.TrimPrefix(s.key, "POSTRIDER_")
					lookForSecret(t, p.name(), name, fmt.Sprintf(shape, canary), canary)
				}
			}
		}
	}
}

func lookForSecret(t *testing.T, program, name, value, canary string) {
	t.Helper()
	environ(t, complete(map[string]string{name: value}))
	p := New(program)
	shown := []string{"", "", ""}
	if err := Load(p); err != nil {
		shown = append(shown, err.Error(), fmt.Sprintf("%+v %#v", err, err))
	}
	for _, s := range p.origin().Effective() {
		shown = append(shown, s.String())
	}
	shown = append(shown, fmt.Sprintf("%v %+v %#v %s", p, p, p, p))
	if strings.Contains(strings.Join(shown, "\n"), canary) {
		t.Errorf("%s with %s=%s shows the secret", program, name, value)
	}
}

func TestNames(t *testing.T) {
	names := strings.Join(Names(), " ")
	for _, want := range []string{
		"LISTEN", "METRICS_LISTEN", "DATABASE_URL", "DATABASE_URL_FILE", "DATABASE_CONNS", "RABBITMQ_URL", "RABBITMQ_URL_FILE", "RABBITMQ_PREFIX",
		"QUEUE_TYPE", "SMTP_URL", "SMTP_URL_FILE", "API_KEYS", "API_KEYS_FILE", "CONSUMERS", "LEASE", "SEND_TIMEOUT", "REPLY_TIMEOUT",
		"SHUTDOWN_GRACE", "RETRY_WINDOW", "MARK", "SWEEP_INTERVAL", "RETENTION", "HELLO_NAME", "INBOX_LISTEN", "INBOX_SMTP_LISTEN", "LOG_FORMAT", "LOG_LEVEL",
		"MIGRATE", "URL", "API_KEY", "API_KEY_FILE",
	} {
		if !strings.Contains(" "+names+" ", " POSTRIDER_"+want+" ") {
			t.Errorf("POSTRIDER_%s is not known", want)
		}
	}
}

// TestDeclarations reads every tag of every setting, so that a program cannot
// meet a broken one at start.
func TestDeclarations(t *testing.T) {
	for _, p := range programs() {
		for _, s := range settingsOf(p) {
			if s.desc() == "" || !strings.HasSuffix(s.desc(), ".") || s.section == nil {
				t.Errorf("%s of %s has no sentence or no section", s.key, p.name())
			}
			if _, tagged := s.field.Tag.Lookup("envconfig"); tagged {
				t.Errorf("%s has an envconfig tag: it would be read without its prefix too", s.key)
			}
			for _, bound := range []string{"min", "max"} {
				if text, ok := s.field.Tag.Lookup(bound); ok {
					s.bound(text)
				}
			}
			if _, ok := s.value.Addr().Interface().(interface{ Decode(string) error }); s.secret() && !ok {
				t.Errorf("%s is secret and has no Decode", s.key)
			}
		}
	}
}

var update = flag.Bool("update", false, "write docs/configuration.md")

func TestReferencePage(t *testing.T) {
	const path = "../../docs/configuration.md"
	if *update {
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), Reference()); diff != "" {
		t.Errorf("%s is old: run go generate ./internal/config\n%s", path, diff)
	}
}

// TestReferenceTellsWhatMustBeGiven asks each program what it lacks on an empty
// environment.
func TestReferenceTellsWhatMustBeGiven(t *testing.T) {
	environ(t, nil)
	for _, p := range programs() {
		wrong, ok := errors.AsType[*Error](Load(p))
		if !ok {
			continue
		}
		var names []string
		for _, f := range wrong.Faults {
			names = append(names, "`"+f.Name+"`")
		}
		if line := "| " + p.name() + " | " + strings.Join(names, ", ") + " |\n"; !strings.Contains(Reference(), line) {
			t.Errorf("the page lacks %s", line)
		}
	}
}

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", "abc"}: 3, {"abc", "abc"}: 0, {"LISEN", "LISTEN"}: 1, {"kitten", "sitting"}: 3} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
}
