package test

import (
	"testing"

	"github.com/postrider/postrider/test/rig"
)

// cable is a TCP connection to a service that the story can cut and mend.
type cable struct{ *rig.Cable }

func newCable(t testing.TB, target string) *cable {
	t.Helper()
	c, err := rig.NewCable(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &cable{c}
}

// through returns the URL with the cable's address in place of its host.
func (c *cable) through(t testing.TB, raw string) string {
	t.Helper()
	through, err := c.Through(raw)
	if err != nil {
		t.Fatal(err)
	}
	return through
}

// set cuts every connection and refuses new ones, or mends the cable.
func (c *cable) set(cut bool) {
	if cut {
		c.Cut()
	} else {
		c.Mend()
	}
}
