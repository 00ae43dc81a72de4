// Package composecheck holds docker-compose.yml against the Dockerfile, the settings and
// the programs, without a Docker engine.
package composecheck

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// load reads the file as 'docker compose' does on a machine where nothing is set.
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithEnv(nil),
		cli.WithInterpolation(true),
	)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// ours are the services that run an image built from this repository.
func ours(project *types.Project) []types.ServiceConfig {
	var built []types.ServiceConfig
	for _, service := range project.Services {
		if service.Build != nil {
			built = append(built, service)
		}
	}
	return built
}

func oneShot(service types.ServiceConfig) bool { return service.Restart == "no" }

func TestStackIsComplete(t *testing.T) {
	project := load(t)
	want := []string{"consumer", "mailhog", "migrate", "postgres", "producer", "rabbitmq"}
	got := project.ServiceNames()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("services are %v, want %v", got, want)
	}
}

func TestStackIsReachableFromThisMachineOnly(t *testing.T) {
	for _, service := range load(t).Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes port %s on %q: its password is known to everybody, so bind it to 127.0.0.1", service.Name, port.Published, port.HostIP)
			}
		}
	}
}

func TestConsumerScales(t *testing.T) {
	consumer := load(t).Services["consumer"]
	if consumer.ContainerName != "" {
		t.Error("consumer has a container_name: a second one could not start")
	}
	if len(consumer.Ports) > 0 {
		t.Error("consumer publishes a port: a second one could not start")
	}
}

func TestStartOrder(t *testing.T) {
	project := load(t)
	for _, service := range project.Services {
		for name, dependency := range service.DependsOn {
			checkDependency(t, service.Name, project.Services[name], dependency.Condition)
		}
	}
	for _, name := range []string{"producer", "consumer"} {
		for _, needed := range []string{"migrate", "postgres", "rabbitmq"} {
			if _, found := project.Services[name].DependsOn[needed]; !found {
				t.Errorf("%s does not wait for %s", name, needed)
			}
		}
	}
}

func checkDependency(t *testing.T, from string, on types.ServiceConfig, condition string) {
	t.Helper()
	switch {
	case oneShot(on) && condition != types.ServiceConditionCompletedSuccessfully:
		t.Errorf("%s waits for %s to be %s, but %s runs once and ends", from, on.Name, condition, on.Name)
	case !oneShot(on) && condition != types.ServiceConditionHealthy:
		t.Errorf("%s waits for %s to be %s: started is not yet ready", from, on.Name, condition)
	}
}

func TestLongRunningServicesAreWatchedAndRestarted(t *testing.T) {
	for _, service := range load(t).Services {
		if oneShot(service) {
			continue
		}
		if service.HealthCheck == nil || len(service.HealthCheck.Test) == 0 {
			t.Errorf("%s has no health check", service.Name)
		}
		if service.Restart != "unless-stopped" {
			t.Errorf("%s has the restart policy %q, want unless-stopped", service.Name, service.Restart)
		}
	}
}

func TestStateIsInNamedVolumes(t *testing.T) {
	project := load(t)
	for service, target := range map[string]string{
		"postgres": "/var/lib/postgresql/data",
		"rabbitmq": "/var/lib/rabbitmq",
	} {
		volumes := project.Services[service].Volumes
		at := slices.IndexFunc(volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == target })
		if at < 0 || volumes[at].Type != types.VolumeTypeVolume || volumes[at].Source == "" {
			t.Errorf("%s does not keep %s in a named volume: 'docker compose down' would lose it", service, target)
		}
	}
	// RabbitMQ looks for its data under its host name, which is random unless given.
	if project.Services["rabbitmq"].Hostname == "" {
		t.Error("rabbitmq has no hostname: a new container would not find the data of the old one")
	}
}

func TestProgramsRunWithoutRights(t *testing.T) {
	for _, service := range ours(load(t)) {
		if !service.ReadOnly || !slices.Contains(service.CapDrop, "ALL") || service.Privileged || service.User != "" {
			t.Errorf("%s is not confined: want read_only, cap_drop ALL, no privileges, the image's own user", service.Name)
		}
	}
}

func TestPasswordsSayThatTheyAreLocal(t *testing.T) {
	const local = "for-local-use-only"
	for _, service := range load(t).Services {
		for name, value := range service.Environment {
			secret := strings.HasSuffix(name, "_PASSWORD") || strings.HasSuffix(name, "_PASS") || name == "POSTRIDER_API_KEYS"
			if secret && !strings.Contains(*value, local) {
				t.Errorf("%s: %s does not contain %q", service.Name, name, local)
			}
		}
	}
}
