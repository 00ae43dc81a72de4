package tap

import (
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// ask notes a statement that the server is to answer. After the end of a
// transaction the next statement begins another.
func (c *pgConn) ask(statement string) {
	if c.ended {
		c.tx, c.ended = nil, false
	}
	c.tx = append(c.tx, statement)
	c.asked = append(c.asked, question{statement: statement})
}

func (c *pgConn) within() string { return strings.Join(c.tx, "\n") }

// answered is what a message of the server means.
func (c *pgConn) answered(kind byte, body []byte) (s step, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.within = c.within()
	switch kind {
	case 'C':
		var m pgproto3.CommandComplete
		err = m.Decode(body)
		s.name, s.text = "CommandComplete", string(m.CommandTag)+" "+c.answer()
	case 'I', 's': // EmptyQueryResponse, PortalSuspended
		s.name = string(rune(kind))
		c.answer()
	case 'E':
		var m pgproto3.ErrorResponse
		err = m.Decode(body)
		s.name, s.text = "ErrorResponse", m.Code+" "+m.Message+" "+c.answer()
	case 'Z':
		var m pgproto3.ReadyForQuery
		err = m.Decode(body)
		s.name, s.text = "ReadyForQuery", string(rune(m.TxStatus))
		c.settled(m.TxStatus)
	default:
		s.name = string(rune(kind))
	}
	return s, err
}

// answer takes the statement that was answered off the list. A Query of several
// statements is on it once, and answered more often.
func (c *pgConn) answer() string {
	if len(c.asked) == 0 || c.asked[0].sync {
		return ""
	}
	statement := c.asked[0].statement
	c.asked = c.asked[1:]
	return statement
}

// settled ends a group: what an error made the server pass over is not answered
// any more.
func (c *pgConn) settled(status byte) {
	for len(c.asked) > 0 {
		q := c.asked[0]
		c.asked = c.asked[1:]
		if q.sync {
			break
		}
	}
	c.ended = status == 'I'
}
