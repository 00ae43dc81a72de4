package limit

import (
	"context"
	"errors"
	"os"

	"github.com/postrider/postrider/bench/result"
)

// Sync notes how often a second 2 KB can be appended to a file and forced to the disk:
// fsync.rate. The file is in the folder Where.Dir and gone afterwards.
func (p Parts) Sync(ctx context.Context, run *result.Run, round int) (err error) {
	file, err := os.CreateTemp(p.Dir, "limit-")
	if err != nil {
		return failed(err, "fsync")
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 2048)
	perSecond, err := p.rate(ctx, []step{func(context.Context) error {
		if _, err := file.Write(block); err != nil {
			return err
		}
		return dataSync(file)
	}})
	if err != nil {
		return failed(err, "fsync")
	}
	note(run, round, "fsync", perSecond)
	return nil
}
