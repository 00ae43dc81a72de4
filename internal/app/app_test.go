package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings reads a serve configuration from an environment of the test's own.
func settings(t *testing.T, more map[string]string) *config.Serve {
	t.Helper()
	env := map[string]string{
		"POSTRIDER_DATABASE_URL":   "sqlite:" + filepath.Join(t.TempDir(), "app.db"),
		"POSTRIDER_API_KEYS":       "0123456789abcdef",
		"POSTRIDER_LISTEN":         "127.0.0.1:0",
		"POSTRIDER_METRICS_LISTEN": "127.0.0.1:0",
		"POSTRIDER_SMTP_URL":       smtptest.New(t, smtptest.Script{}).URL("none", "", ""),
		"POSTRIDER_LOG_LEVEL":      "error",
	}
	for name, value := range more {
		env[name] = value
	}
	return load(t, env)
}

// environment is held while it is that of one test.
var environment sync.Mutex

func load(t *testing.T, env map[string]string) *config.Serve {
	t.Helper()
	environment.Lock()
	defer environment.Unlock()
	for name, value := range env {
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Unsetenv(name) }()
	}
	var cfg config.Serve
	if err := config.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	return &cfg
}

func serve(t *testing.T, cfg *config.Serve) *App {
	t.Helper()
	a, err := Serve(t.Context(), cfg, Build{Program: "postrider", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return a
}

func post(t *testing.T, a *App) {
	t.Helper()
	if status := tryPost(t, a); status != http.StatusAccepted {
		t.Fatalf("post: %d", status)
	}
}

// tryPost returns the status, 0 where there was no answer.
func tryPost(t *testing.T, a *App) int {
	t.Helper()
	body := `{"from":"shop@sender.example","to":["ann@example.com"],"subject":"x","text":"y"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr("http")+"/v1/emails", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer 0123456789abcdef")
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestAProgramStopsWheneverItIsTold(t *testing.T) {
	cfg := settings(t, nil)
	for round := range 10 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			a := serve(t, cfg)
			starting, cancel := context.WithCancel(t.Context())
			started := make(chan error, 1)
			go func() { started <- a.Start(starting) }()
			if round%2 == 0 {
				if err := <-started; err != nil {
					t.Fatal(err)
				}
				post(t, a)
			}
			cancel() // on odd rounds in the midst of the start
			ctx, done := context.WithTimeout(context.Background(), time.Minute)
			defer done()
			if round%2 == 1 {
				t.Logf("a start that was broken off came to: %v", <-started)
			}
			for range 2 {
				if err := a.Stop(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A service manager that stops a program which still waits for its database is
// told that nothing is wrong.
func TestToBeStoppedWhileStartingIsNoFailure(t *testing.T) {
	cfg := settings(t, nil)
	if err := cfg.Database.URL.Decode("postgres://nobody@127.0.0.1:1/nothing"); err != nil {
		t.Fatal(err)
	}
	a := serve(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := Run(ctx, a, time.Second, func() { t.Error("it runs without a database") }); err != nil {
		t.Error(err)
	}
}

func TestAnAddressIsUnknownBeforeTheStart(t *testing.T) {
	a := serve(t, settings(t, nil))
	for _, name := range []string{"http", "metrics", "inbox", "smtp"} {
		if addr := a.Addr(name); addr != "" {
			t.Errorf("%s is at %q before the start", name, addr)
		}
	}
}

func TestATakenPortNamesTheSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	a := serve(t, settings(t, map[string]string{"POSTRIDER_LISTEN": taken.Addr().String()}))
	err = a.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "POSTRIDER_LISTEN") {
		t.Errorf("start on a taken port: %v", err)
	}
}

func TestAFileHasOneProcess(t *testing.T) {
	cfg := settings(t, nil)
	serve(t, cfg)
	_, err := Serve(t.Context(), cfg, Build{})
	if err == nil || !strings.Contains(err.Error(), "app.db") {
		t.Errorf("a second program on the file: %v", err)
	}
}

func TestOldTablesNameTheRemedy(t *testing.T) {
	a := serve(t, settings(t, map[string]string{"POSTRIDER_MIGRATE": "off"}))
	err := a.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "postrider migrate") {
		t.Errorf("start on a database without tables: %v", err)
	}
}
