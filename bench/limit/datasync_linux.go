package limit

import (
	"os"
	"syscall"
)

// dataSync is what Postgres does at a commit.
func dataSync(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }
