//go:build unix

package mailer

import (
	"errors"
	"syscall"
)

// readable reports whether a read would return at once: with bytes, or with the
// end of the connection. It waits for nothing and takes nothing out, which a
// read with a deadline cannot promise.
func (c *conn) readable() bool {
	tcp, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true
	}
	var at error
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, at = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err != nil || !errors.Is(at, syscall.EAGAIN)
}
