package config

import (
	"fmt"
	"slices"
	"strings"
)

// Reference is docs/configuration.md: every setting of every program.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range sections() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		for _, text := range s.texts {
			b.WriteString(text + "\n\n")
		}
		b.WriteString("| Setting | Default | Programs | Meaning |\n|---|---|---|---|\n")
		for _, e := range s.entries {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.key, e.defaults(), strings.Join(e.programs, ", "), e.meaning())
		}
	}
	return b.String()
}

const referenceHead = `<!-- Generated from internal/config by go generate ./internal/config. Do not edit. -->
# Configuration

Every program reads its settings from the environment. Names begin with
` + "`POSTRIDER_`" + `. The effective settings are printed at start, with secrets hidden;
` + "`postrider config PROGRAM`" + ` prints them without starting anything.

- A setting that is wrong, missing or unknown stops the start. All faults are
  reported at once, each with its name and what to do.
- A setting of another program is ignored, so that all can share one environment. So are
  ` + "`POSTRIDER_TEST_*`" + ` and the names that Kubernetes makes for services called postrider or postrider-….
- Secrets, marked *secret*, may stand in a file: ` + "`NAME_FILE=/run/secrets/x`" + ` instead of
  ` + "`NAME=…`" + `. A line end at the end of the file does not count. Setting both is an error.
- Durations are numbers with units: ` + "`500ms`, `20s`, `2m`, `72h`" + `.
- An empty value is an error where there is a default: unset the setting instead.

The programs are ` + "`producer`" + ` and ` + "`consumer`" + `, which share the work over RabbitMQ and
Postgres; ` + "`serve`" + ` (` + "`postrider serve`" + `), which does all of it in one process; ` + "`dev`" + `
(` + "`postrider dev`" + `), which adds an inbox and needs nothing installed; ` + "`migrate`" + `
(` + "`postrider migrate`" + `); and ` + "`client`" + `, the other commands of ` + "`postrider`" + `.
These settings have no default there and must be given; without any other a program runs:

| Program | Must be given |
|---|---|
| producer | ` + "`POSTRIDER_API_KEYS`, `POSTRIDER_DATABASE_URL`, `POSTRIDER_RABBITMQ_URL`" + ` |
| consumer | ` + "`POSTRIDER_DATABASE_URL`, `POSTRIDER_RABBITMQ_URL`, `POSTRIDER_SMTP_URL`" + ` |
| serve | ` + "`POSTRIDER_API_KEYS`, `POSTRIDER_DATABASE_URL`, `POSTRIDER_SMTP_URL`" + ` |
| migrate | ` + "`POSTRIDER_DATABASE_URL`" + ` |
| dev, client | nothing |
`

// part is a section of the page: the settings of one title.
type part struct {
	title   string
	texts   []string
	entries []*entry
}

// entry is a setting with all the programs that have it.
type entry struct {
	setting
	programs  []string
	fallbacks []string // by program
}

// sections gathers the settings of all programs under their titles, in the
// order in which they are first met.
func sections() []*part {
	var parts []*part
	byKey := map[string]*entry{}
	for _, p := range orderedForReference() {
		for _, s := range settingsOf(p) {
			if byKey[s.key] == nil {
				byKey[s.key] = &entry{setting: s}
				parts = file(parts, byKey[s.key])
			}
			e := byKey[s.key]
			e.programs = append(e.programs, p.name())
			e.fallbacks = append(e.fallbacks, s.fallback)
		}
	}
	return parts
}

// orderedForReference begins with dev, which has nearly every setting in an
// order that reads well.
func orderedForReference() []Program {
	return []Program{new(Dev), new(Serve), new(Producer), new(Consumer), new(Migrate), new(Client)}
}

// file puts the entry under its title.
func file(parts []*part, e *entry) []*part {
	title, text := e.section.about()
	i := slices.IndexFunc(parts, func(p *part) bool { return p.title == title })
	if i < 0 {
		parts, i = append(parts, &part{title: title}), len(parts)
	}
	if text != "" && !slices.Contains(parts[i].texts, text) {
		parts[i].texts = append(parts[i].texts, text)
	}
	parts[i].entries = append(parts[i].entries, e)
	return parts
}

// defaults tells the default, and of each program that has another one.
func (e *entry) defaults() string {
	common := e.field.Tag.Get("default")
	shown := []string{}
	if common != "" {
		shown = append(shown, "`"+common+"`")
	}
	for i, own := range e.fallbacks {
		if own != common {
			shown = append(shown, fmt.Sprintf("%s: `%s`", e.programs[i], own))
		}
	}
	return strings.Join(shown, "; ")
}

func (e *entry) meaning() string {
	text := e.desc()
	if low := e.field.Tag.Get("min"); low != "" {
		text += " From " + low + " to " + e.field.Tag.Get("max") + "."
	}
	if words := e.field.Tag.Get("oneof"); words != "" {
		text += " One of `" + strings.ReplaceAll(words, "|", "`, `") + "`."
	}
	if e.secret() {
		text += " *Secret.*"
	}
	return strings.ReplaceAll(text, "|", `\|`)
}
