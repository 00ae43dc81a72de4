//go:build !linux

package limit

import "os"

func dataSync(file *os.File) error { return file.Sync() }
