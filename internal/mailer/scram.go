package mailer

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/wneessen/go-mail/smtp"
)

// mostIterations is how often SCRAM may have the password hashed: several times what
// anybody advises, and some seconds of work.
const mostIterations = 5_000_000

var errIterations = errors.New("the relay host asks for more than 5,000,000 iterations of SCRAM")

// scram is one of the client's mechanisms of that name, with a bound: the host names
// the number of iterations, the client heeds any, and no deadline ends its hashing.
type scram struct{ smtp.Auth }

// Next implements smtp.Auth.
func (a scram) Next(fromServer []byte, more bool) ([]byte, error) {
	if parts := bytes.Split(fromServer, []byte(",")); more && len(parts) > 2 {
		n, err := strconv.Atoi(string(bytes.TrimPrefix(parts[2], []byte("i="))))
		if err == nil && n > mostIterations {
			return nil, errIterations
		}
	}
	return a.Auth.Next(fromServer, more)
}
