package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports of processes that are killed and started again at the same address lie
// below those that systems hand out to outgoing connections, one of which could else
// take the address in between; and below those of scripts/services.sh.
const (
	lowestPort  = 10_000
	highestPort = 20_000
)

// FreeAddress is an address on the loopback that nobody listens on.
func FreeAddress() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+rand.IntN(highestPort-lowestPort))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port between 10000 and 20000")
}
