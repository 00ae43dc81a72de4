package tap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Postgres starts a proxy for the server at host:port. It answers requests for
// encryption with no.
//
// Steps are messages by the names of the protocol's reference. Of the client
// these are Startup, Query, Parse, Bind, Execute, Sync and Terminate, of the
// server CommandComplete, ErrorResponse and ReadyForQuery; others have their
// type, one character, for a name. Their texts are:
//
//   - Query, Parse, Bind, Execute: the statement, also where it was prepared
//     before; of Bind and Execute then its arguments. Our client library writes
//     begin, commit and rollback in small letters.
//   - CommandComplete: the tag, such as COMMIT or UPDATE 1, then the statement.
//   - ErrorResponse: the code and the message, then the statement.
//   - ReadyForQuery: I outside a transaction, T within, E within a failed one.
//
// Event.Within has one statement to a line.
func Postgres(target string) (*Proxy, error) {
	return start(target, func(near, far net.Conn) (client, server reader, err error) {
		r := bufio.NewReader(near)
		raw, err := startup(r, near)
		if err != nil {
			return nil, nil, err
		}
		c := &pgConn{prepared: map[string]string{}, portals: map[string]string{}}
		client = &pgReader{r: r, first: raw, meaning: c.said}
		server = &pgReader{r: bufio.NewReader(far), meaning: c.answered}
		return client, server, nil
	})
}

// The codes with which a client begins in place of a protocol version.
const (
	cancelCode    = 80877102
	sslCode       = 80877103
	gssCode       = 80877104
	longestPacket = 10_000
	largestPacket = 256 << 20
)

var errPacket = errors.New("not a message of Postgres")

// startup reads the first packet, which has no type.
func startup(r *bufio.Reader, w io.Writer) ([]byte, error) {
	for {
		head, err := r.Peek(8)
		if err != nil {
			return nil, err
		}
		size := binary.BigEndian.Uint32(head)
		if size < 8 || size > longestPacket {
			return nil, errPacket
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, err
		}
		switch binary.BigEndian.Uint32(raw[4:]) {
		case sslCode, gssCode:
			if _, err := w.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		default:
			return raw, nil
		}
	}
}

// pgReader reads one direction.
type pgReader struct {
	r       *bufio.Reader
	first   []byte // the packet without a type, which was read before
	meaning func(kind byte, body []byte) (step, error)
}

func (p *pgReader) next() (step, error) {
	if raw := p.first; raw != nil {
		p.first = nil
		name := "Startup"
		if binary.BigEndian.Uint32(raw[4:]) == cancelCode {
			name = "CancelRequest"
		}
		return step{raw: raw, name: name}, nil
	}
	head, err := p.r.Peek(5)
	if err != nil {
		return step{}, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > largestPacket {
		return step{}, errPacket
	}
	raw := make([]byte, size+1)
	if _, err := io.ReadFull(p.r, raw); err != nil {
		return step{}, err
	}
	s, err := p.meaning(raw[0], raw[5:])
	s.raw = raw
	return s, err
}

// pgConn is what both directions of a connection know together.
type pgConn struct {
	mu       sync.Mutex
	prepared map[string]string // statements by name
	portals  map[string]string // statements by portal
	asked    []question        // not yet answered
	tx       []string          // the statements of the transaction
	ended    bool              // it was, with the last answer
}

// question is a statement, or the Sync that ends a group of them.
type question struct {
	statement string
	sync      bool
}

// said is what a message of the client means.
func (c *pgConn) said(kind byte, body []byte) (s step, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch kind {
	case 'Q':
		var m pgproto3.Query
		err = m.Decode(body)
		s.name, s.text = "Query", m.String
		c.ask(m.String)
		c.asked = append(c.asked, question{sync: true})
	case 'P':
		var m pgproto3.Parse
		err = m.Decode(body)
		c.prepared[m.Name] = m.Query
		s.name, s.text = "Parse", m.Query
	case 'B':
		var m pgproto3.Bind
		err = m.Decode(body)
		s.name, s.text = "Bind", c.prepared[m.PreparedStatement]+values(&m)
		c.portals[m.DestinationPortal] = s.text
	case 'E':
		var m pgproto3.Execute
		err = m.Decode(body)
		s.name, s.text = "Execute", c.portals[m.Portal]
		c.ask(s.text)
	case 'S':
		s.name = "Sync"
		c.asked = append(c.asked, question{sync: true})
	case 'C':
		var m pgproto3.Close
		err = m.Decode(body)
		s.name = "Close"
		if m.ObjectType == 'S' {
			delete(c.prepared, m.Name)
		}
	case 'X':
		s.name = "Terminate"
	default:
		s.name = string(rune(kind))
	}
	s.within = c.within()
	return s, err
}
