package composecheck

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/postrider/postrider/internal/config"
)

func TestSettingsExist(t *testing.T) {
	known := config.Names()
	for _, service := range ours(load(t)) {
		for name := range service.Environment {
			if !slices.Contains(known, name) {
				t.Errorf("%s: %s is no setting of any program", service.Name, name)
			}
		}
	}
}

// TestSettingsStartThePrograms reads each service's environment as the program would.
func TestSettingsStartThePrograms(t *testing.T) {
	for _, service := range ours(load(t)) {
		t.Run(service.Name, func(t *testing.T) {
			program := programOf(t, service)
			if err := config.Load(program); err != nil {
				t.Error(err)
			}
			if grace, ok := shutdownGrace(program); ok {
				checkGrace(t, service, grace)
			}
		})
	}
}

// programOf puts the service's environment in place and returns what reads it. The
// programs of cmd/postrider are its subcommands.
func programOf(t *testing.T, service types.ServiceConfig) config.Program {
	t.Helper()
	clearSettings(t)
	for name, value := range service.Environment {
		t.Setenv(name, *value)
	}
	name := path.Base(service.Command[0])
	if name == "postrider" {
		name = service.Command[1]
	}
	program := config.New(name)
	if program == nil {
		t.Fatalf("no settings for the program %q", name)
	}
	return program
}

// clearSettings: the shell that runs the test may have settings of its own.
func clearSettings(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "POSTRIDER_") {
			t.Setenv(name, value) // restored when the test ends
			os.Unsetenv(name)
		}
	}
}

func shutdownGrace(program config.Program) (time.Duration, bool) {
	switch p := program.(type) {
	case *config.Producer:
		return p.ShutdownGrace, true
	case *config.Consumer:
		return p.ShutdownGrace, true
	}
	return 0, false
}

func checkGrace(t *testing.T, service types.ServiceConfig, grace time.Duration) {
	t.Helper()
	if service.StopGracePeriod == nil || time.Duration(*service.StopGracePeriod) < grace+5*time.Second {
		t.Errorf("stop_grace_period is %v and POSTRIDER_SHUTDOWN_GRACE %v: Docker would kill what is still finishing", service.StopGracePeriod, grace)
	}
}

// TestProbesAskTheRightPort: a probe of a port nobody listens on is never healthy.
func TestProbesAskTheRightPort(t *testing.T) {
	for _, name := range []string{"producer", "consumer"} {
		service := load(t).Services[name]
		listen := service.Environment["POSTRIDER_METRICS_LISTEN"]
		probe := strings.Join(service.HealthCheck.Test, " ")
		if listen == nil || !strings.Contains(probe, "http://127.0.0.1"+*listen+"/") {
			t.Errorf("%s: %q does not ask POSTRIDER_METRICS_LISTEN", name, probe)
		}
	}
}
