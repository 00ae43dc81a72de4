package composecheck

import (
	"bytes"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// image is what the Dockerfile says of the image it ends in.
type image struct {
	text     string   // with continued lines joined
	final    string   // the last stage
	binaries []string // absolute paths
}

func readDockerfile(t *testing.T) image {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), "\\\n", " ")
	stages := regexp.MustCompile(`(?m)^FROM `).Split(text, -1)
	if len(stages) < 3 {
		t.Fatal("the Dockerfile has one stage: the image would hold the compiler and the source")
	}
	return image{text: text, final: stages[len(stages)-1], binaries: binaries(t, text)}
}

// binaries follows 'go build -o /out/ ./cmd/a ./cmd/b' and 'COPY --from=build /out/ /'.
func binaries(t *testing.T, text string) []string {
	t.Helper()
	build := regexp.MustCompile(`(?m)go build .*-o (\S+/)((?: +\./cmd/\w+)+)`).FindStringSubmatch(text)
	if build == nil {
		t.Fatal("the Dockerfile has no 'go build -o FOLDER/ ./cmd/…'")
	}
	into := regexp.MustCompile(`(?m)^COPY --from=build ` + regexp.QuoteMeta(build[1]) + ` (\S+)`).FindStringSubmatch(text)
	if into == nil {
		t.Fatalf("the Dockerfile does not copy %s into the image", build[1])
	}
	var found []string
	for _, folder := range strings.Fields(build[2]) {
		found = append(found, path.Join(into[1], path.Base(folder)))
	}
	return found
}

func TestImageHoldsEveryProgram(t *testing.T) {
	mains, err := filepath.Glob(filepath.Join(root, "cmd/*/main.go"))
	if err != nil || len(mains) == 0 {
		t.Fatalf("no programs under cmd: %v", err)
	}
	var want []string
	for _, main := range mains {
		want = append(want, "/"+filepath.Base(filepath.Dir(main)))
	}
	got := readDockerfile(t).binaries
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the image holds %v, want %v", got, want)
	}
}

func TestImageIsStaticAndWithoutRights(t *testing.T) {
	image := readDockerfile(t)
	if !strings.Contains(image.text, "CGO_ENABLED=0") {
		t.Error("built with cgo, the programs need a C library that the image does not have")
	}
	user := regexp.MustCompile(`(?m)^USER (\S+)`).FindStringSubmatch(image.final)
	if user == nil || strings.HasPrefix(user[1], "root") || strings.HasPrefix(user[1], "0") {
		t.Errorf("the image runs as %v, want a user without rights", user)
	}
}

func TestCommandsAreInTheImage(t *testing.T) {
	binaries := readDockerfile(t).binaries
	for _, service := range ours(load(t)) {
		if len(service.Command) == 0 || !slices.Contains(binaries, service.Command[0]) {
			t.Errorf("%s runs %v; the image holds %v", service.Name, service.Command, binaries)
		}
		if service.HealthCheck == nil {
			continue
		}
		probe := service.HealthCheck.Test
		if len(probe) < 2 || probe[0] != "CMD" || !slices.Contains(binaries, probe[1]) {
			t.Errorf("%s is probed with %v: the image has no shell, only %v", service.Name, probe, binaries)
		}
	}
}

// The programs themselves are asked whether they know the subcommands.
func TestSubcommandsExist(t *testing.T) {
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder+"/", "./cmd/...")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, service := range ours(load(t)) {
		checkSubcommand(t, folder, service.Command)
		if service.HealthCheck != nil && len(service.HealthCheck.Test) > 1 {
			checkSubcommand(t, folder, service.HealthCheck.Test[1:])
		}
	}
}

func checkSubcommand(t *testing.T, folder string, command []string) {
	t.Helper()
	if len(command) < 2 {
		return
	}
	help := exec.CommandContext(t.Context(), filepath.Join(folder, command[0]), command[1], "--help")
	if output, err := help.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", command, err, output)
	}
}

// TestContextHoldsWhatTheBuildReads: .dockerignore lets folders in by name.
func TestContextHoldsWhatTheBuildReads(t *testing.T) {
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	admitted := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^!(\S+)$`).FindAllSubmatch(ignore, -1) {
		admitted[string(match[1])] = true
	}
	for _, file := range filesOfTheBuild(t) {
		top, _, _ := strings.Cut(file, "/")
		if !admitted[top] {
			t.Errorf("%s is part of the build, but .dockerignore keeps it out", file)
		}
	}
}

// filesOfTheBuild are our own files that the programs are made of, relative to the root.
func filesOfTheBuild(t *testing.T) []string {
	t.Helper()
	const format = `{{if .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}`
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format, "./cmd/...")
	list.Dir = root
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files := strings.Fields(string(bytes.ReplaceAll(output, []byte(absolute+"/"), nil)))
	if len(files) == 0 {
		t.Fatal("go list found no file of the programs")
	}
	return append(files, "go.mod", "go.sum")
}
