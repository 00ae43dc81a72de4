package config

import (
	"reflect"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// The sweep tells a lease that a clock gave which ran ahead by its length: it
// must know the longest that a setting admits.
func TestNoLeaseIsLongerThanTheSweepReckonsWith(t *testing.T) {
	field, ok := reflect.TypeFor[Sending]().FieldByName("Lease")
	if !ok {
		t.Fatal("there is no setting for the lease")
	}
	longest, err := time.ParseDuration(field.Tag.Get("max"))
	if err != nil || longest != message.LongestLease {
		t.Errorf("a setting admits %v, the sweep reckons with %v: %v", longest, message.LongestLease, err)
	}
}
