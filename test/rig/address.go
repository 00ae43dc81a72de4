package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// The ports of processes that are killed and started again at the same address lie
// below those that systems hand out to outgoing connections, one of which could else
// take the address in between; and below those of scripts/services.sh.
const (
	lowestPort = 10_000
	ports      = 10_000
)

// handedOut counts the ports of this process, from a place of its own in their row: an
// address is free until the one who asked for it listens there, and many ask at once.
var handedOut = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(ports))
	return &n
}()

// FreeAddress is an address on the loopback that nobody listens on, and that this process
// has given to nobody among its last 10,000. Safe for concurrent use.
func FreeAddress() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+handedOut.Add(1)%ports)
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port between 10000 and 20000")
}
