package rig_test

import (
	"sync"
	"testing"

	"github.com/postrider/postrider/test/rig"
)

// An address is nobody's yet when the next one is asked for.
func TestNoTwoAreGivenOneAddress(t *testing.T) {
	var all sync.Map
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 250 {
				addr, err := rig.FreeAddress()
				if err != nil {
					t.Error(err)
					return
				}
				if _, given := all.LoadOrStore(addr, true); given {
					t.Errorf("%s was given out twice", addr)
				}
			}
		})
	}
	asking.Wait()
}
