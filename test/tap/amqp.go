package tap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// AMQP starts a proxy for the broker at host:port.
//
// Steps are methods by the names of the AMQP 0-9-1 reference, such as
// basic.publish and queue.declare, and heartbeat. Their texts are:
//
//   - basic.publish, basic.deliver, basic.return: exchange, routing key and
//     body; a delivery's has the word redelivered before the body if it is.
//   - basic.ack, basic.nack, basic.reject, of either side: what it settles, in
//     the same form; before it requeue, if it asks for that.
//   - queue.*, exchange.* and basic.consume: the name; *.close: code and reason.
func AMQP(target string) (*Proxy, error) {
	return start(target, func(near, far net.Conn) (client, server reader, err error) {
		c := &amqpConn{sent: newLedger(), handed: newLedger()}
		client = &amqpReader{conn: c, from: Client, r: bufio.NewReader(near), open: map[uint16]*content{}, fresh: true}
		server = &amqpReader{conn: c, from: Server, r: bufio.NewReader(far), open: map[uint16]*content{}}
		return client, server, nil
	})
}

// The frames of AMQP 0-9-1, section 4.2.3 of the specification.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameOverhead  = 8 // type, channel, size, end
	largestFrame   = 1 << 20
	largestContent = 64 << 20
)

var errFrame = errors.New("not an AMQP 0-9-1 frame")

// amqpConn is what both directions of a connection know together.
type amqpConn struct {
	mu     sync.Mutex
	sent   ledger // by the client, to be confirmed
	handed ledger // to the client, to be settled
}

// content is a method whose header and body are still to come.
type content struct {
	raw  []byte
	name string
	args []byte
	left uint64 // of the body
	body []byte
}

// amqpReader reads one direction.
type amqpReader struct {
	conn  *amqpConn
	from  Side
	r     *bufio.Reader
	open  map[uint16]*content // by channel
	fresh bool                // the protocol header is still to come
}

func (a *amqpReader) next() (step, error) {
	if a.fresh {
		a.fresh = false
		raw := make([]byte, 8)
		_, err := io.ReadFull(a.r, raw)
		return step{raw: raw, name: "protocol-header"}, err
	}
	for {
		raw, err := a.frame()
		if err != nil {
			return step{}, err
		}
		s, whole, err := a.take(raw)
		if err != nil || whole {
			return s, err
		}
	}
}

func (a *amqpReader) frame() ([]byte, error) {
	head, err := a.r.Peek(7)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[3:])
	if size > largestFrame {
		return nil, errFrame
	}
	raw := make([]byte, size+frameOverhead)
	_, err = io.ReadFull(a.r, raw)
	return raw, err
}

// take adds a frame and reports whether it completes a step. Contents of several
// channels may be interleaved; each goes on when it is whole.
func (a *amqpReader) take(raw []byte) (s step, whole bool, err error) {
	channel, payload := binary.BigEndian.Uint16(raw[1:]), raw[7:len(raw)-1]
	switch raw[0] {
	case frameHeartbeat:
		return step{raw: raw, name: "heartbeat"}, true, nil
	case frameMethod:
		return a.method(channel, payload, raw)
	}
	c := a.open[channel]
	if c == nil {
		return step{}, false, errFrame
	}
	c.raw = append(c.raw, raw...)
	switch {
	case raw[0] == frameHeader && len(payload) >= 12:
		c.left = binary.BigEndian.Uint64(payload[4:])
	case raw[0] == frameBody && uint64(len(payload)) <= c.left:
		c.left -= uint64(len(payload))
		c.body = append(c.body, payload...)
	default:
		return step{}, false, errFrame
	}
	if c.left > largestContent {
		return step{}, false, errFrame
	}
	if c.left > 0 {
		return step{}, false, nil
	}
	delete(a.open, channel)
	text, err := a.conn.carry(channel, c)
	return step{raw: c.raw, name: c.name, text: text}, true, err
}

func (a *amqpReader) method(channel uint16, payload, raw []byte) (s step, whole bool, err error) {
	if len(payload) < 4 {
		return step{}, false, errFrame
	}
	name := methodName(binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]))
	args := payload[4:]
	switch name {
	case "basic.publish", "basic.deliver", "basic.return", "basic.get-ok":
		a.open[channel] = &content{raw: raw, name: name, args: args}
		return step{}, false, nil
	}
	text, err := a.conn.meaning(a.from, channel, name, args)
	return step{raw: raw, name: name, text: text}, true, err
}

// carry notes what a content is about, and returns its text.
func (c *amqpConn) carry(channel uint16, m *content) (string, error) {
	in := arguments{rest: m.args}
	var tag uint64
	again := false
	switch m.name {
	case "basic.publish":
		in.short()
	case "basic.return":
		in.short()
		in.text()
	case "basic.deliver":
		in.text()
		fallthrough
	default: // basic.get-ok
		tag, again = in.long(), in.octet()&1 == 1
	}
	text := strings.TrimSpace(in.text()+" "+in.text()) + " "
	if again {
		text += "redelivered "
	}
	text += string(m.body)
	if in.broken {
		return "", errFrame
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.name {
	case "basic.publish":
		c.sent.add(channel, text)
	case "basic.deliver", "basic.get-ok":
		c.handed.note(channel, tag, text)
	}
	return text, nil
}

// meaning is the text of a method without content.
func (c *amqpConn) meaning(from Side, channel uint16, name string, args []byte) (string, error) {
	in := arguments{rest: args}
	text := ""
	class, _, _ := strings.Cut(name, ".")
	switch {
	case name == "confirm.select":
		c.mu.Lock()
		c.sent.open(channel)
		c.mu.Unlock()
	case name == "channel.open":
		c.mu.Lock()
		c.sent.close(channel)
		c.handed.open(channel)
		c.mu.Unlock()
	case name == "basic.ack" || name == "basic.nack" || name == "basic.reject":
		text = c.settled(from, channel, name, &in)
	case name == "connection.close" || name == "channel.close":
		text = fmt.Sprint(in.short(), " ", in.text())
	case name == "connection.blocked":
		text = in.text()
	case name == "basic.consume" || name == "basic.get",
		(class == "queue" || class == "exchange") && !strings.HasSuffix(name, "-ok"):
		in.short()
		text = in.text()
	case name == "queue.declare-ok" || name == "basic.cancel":
		text = in.text()
	}
	if in.broken {
		return "", errFrame
	}
	return text, nil
}

// settled is what an answer is about: of the broker the client's publishings, of
// the client the broker's deliveries.
func (c *amqpConn) settled(from Side, channel uint16, name string, in *arguments) string {
	tag, bits := in.long(), in.octet()
	multiple, requeue := bits&1 == 1, bits&2 == 2
	if name == "basic.reject" {
		multiple, requeue = false, bits&1 == 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	book := c.handed
	if from == Server {
		book = c.sent
	}
	text := book.settle(channel, tag, multiple)
	if requeue && name != "basic.ack" {
		return "requeue " + text
	}
	return text
}
