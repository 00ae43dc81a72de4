package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd shows what this program is built from.
type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(t *terminal) error {
	_, err := fmt.Fprintf(t.out, "postrider %s%s (%s, %s/%s)\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// revision is the commit, where the build recorded one.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " " + s.Value[:12]
		}
	}
	return ""
}
