package rabbitmq_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
)

// sent is a method that a client wrote, with its arguments by the names of the
// AMQP 0-9-1 reference. A table is a map; what rules do not look at is left out.
type sent struct {
	method string
	fields map[string]any
}

func (s sent) text(name string) string { text, _ := s.fields[name].(string); return text }
func (s sent) flag(name string) bool   { flag, _ := s.fields[name].(bool); return flag }
func (s sent) number(name string) int  { number, _ := s.fields[name].(int); return number }

// argument is a value of the method's table of arguments, nil if it is not there.
func (s sent) argument(name string) any {
	table, _ := s.fields["arguments"].(map[string]any)
	return table[name]
}

const (
	frameMethod = 1
	frameHeader = 2
)

// methodsOf reads what one client wrote on one connection, up to the last whole
// frame.
func methodsOf(t testing.TB, written []byte) []sent {
	t.Helper()
	r := bytes.NewReader(written)
	greeting := make([]byte, 8)
	if _, err := io.ReadFull(r, greeting); err != nil {
		return nil
	}
	if string(greeting) != "AMQP\x00\x00\x09\x01" {
		t.Fatalf("the client greets with %q, which is not AMQP 0-9-1", greeting)
	}
	var all []sent
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(r, head); err != nil {
			return all
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1) // with the frame's end
		if _, err := io.ReadFull(r, payload); err != nil {
			return all
		}
		in := &arguments{t: t, rest: payload[:len(payload)-1]}
		switch head[0] {
		case frameMethod:
			m := in.method()
			m.fields["frame size"] = len(head) + len(payload)
			all = append(all, m)
		case frameHeader: // belongs to the publish before it: channels do not interleave here
			in.properties(all[len(all)-1].fields)
		}
	}
}

// arguments reads a method's arguments.
type arguments struct {
	t    testing.TB
	rest []byte
}

func (a *arguments) take(n int) []byte {
	a.t.Helper()
	if n > len(a.rest) {
		a.t.Fatal("a frame ends too early")
	}
	taken := a.rest[:n]
	a.rest = a.rest[n:]
	return taken
}

func (a *arguments) number(size int) int {
	n := 0
	for _, b := range a.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

func (a *arguments) short() string { return string(a.take(a.number(1))) }
func (a *arguments) long() string  { return string(a.take(a.number(4))) }

// flags reads an octet of bits, the first one lowest.
func (a *arguments) flags(into map[string]any, names ...string) {
	bits := a.number(1)
	for i, name := range names {
		into[name] = bits>>i&1 == 1
	}
}

func (a *arguments) table() map[string]any {
	in := &arguments{t: a.t, rest: []byte(a.long())}
	values := map[string]any{}
	for len(in.rest) > 0 {
		name := in.short()
		values[name] = in.value()
	}
	return values
}

// value reads a field of a table, in RabbitMQ's reading of the types.
func (a *arguments) value() any {
	switch kind := a.take(1)[0]; kind {
	case 't':
		return a.number(1) == 1
	case 'b', 'B':
		return a.number(1)
	case 's', 'u':
		return a.number(2)
	case 'I':
		return int(int32(a.number(4)))
	case 'i':
		return a.number(4)
	case 'l', 'T':
		return a.number(8)
	case 'S':
		return a.long()
	case 'F':
		return a.table()
	case 'V':
		return nil
	default:
		a.t.Fatalf("a table holds a value of type %q, which nobody here has met", kind)
		return nil
	}
}

func (a *arguments) method() sent {
	class, id := a.number(2), a.number(2)
	m := sent{method: clientMethods[[2]int{class, id}], fields: map[string]any{}}
	f := m.fields
	switch m.method {
	case "":
		m.method = fmt.Sprintf("%d.%d", class, id)
	case "connection.start-ok":
		f["client-properties"], f["mechanism"] = a.table(), a.short()
	case "connection.tune-ok":
		f["channel-max"], f["frame-max"], f["heartbeat"] = a.number(2), a.number(4), a.number(2)
	case "exchange.declare":
		a.number(2)
		f["exchange"], f["type"] = a.short(), a.short()
		a.flags(f, "passive", "durable", "auto-delete", "internal")
		f["arguments"] = a.table()
	case "queue.declare":
		a.number(2)
		f["queue"] = a.short()
		a.flags(f, "passive", "durable", "exclusive", "auto-delete")
		f["arguments"] = a.table()
	case "basic.qos":
		f["prefetch-size"], f["prefetch-count"] = a.number(4), a.number(2)
		a.flags(f, "global")
	case "basic.consume":
		a.number(2)
		f["queue"], f["consumer-tag"] = a.short(), a.short()
		a.flags(f, "no-local", "no-ack", "exclusive")
		f["arguments"] = a.table()
	case "basic.publish":
		a.number(2)
		f["exchange"], f["routing-key"] = a.short(), a.short()
		a.flags(f, "mandatory", "immediate")
	}
	return m
}

// properties reads a content header: its flags come from the highest bit down.
func (a *arguments) properties(into map[string]any) {
	a.take(4)
	into["body size"] = a.number(8)
	flags := a.number(2)
	if flags>>15&1 == 1 {
		into["content-type"] = a.short()
	}
	if flags>>14&1 == 1 {
		into["content-encoding"] = a.short()
	}
	if flags>>13&1 == 1 {
		into["arguments"] = a.table() // its headers
	}
	if flags>>12&1 == 1 {
		into["delivery-mode"] = a.number(1)
	}
}

// clientMethods are those a client may write, by class and number.
var clientMethods = map[[2]int]string{
	{10, 11}: "connection.start-ok", {10, 31}: "connection.tune-ok", {10, 40}: "connection.open",
	{10, 50}: "connection.close", {10, 51}: "connection.close-ok",
	{20, 10}: "channel.open", {20, 21}: "channel.flow-ok", {20, 40}: "channel.close", {20, 41}: "channel.close-ok",
	{30, 10}: "access.request",
	{40, 10}: "exchange.declare", {40, 20}: "exchange.delete", {40, 30}: "exchange.bind", {40, 40}: "exchange.unbind",
	{50, 10}: "queue.declare", {50, 20}: "queue.bind", {50, 30}: "queue.purge", {50, 40}: "queue.delete", {50, 50}: "queue.unbind",
	{60, 10}: "basic.qos", {60, 20}: "basic.consume", {60, 30}: "basic.cancel", {60, 31}: "basic.cancel-ok",
	{60, 40}: "basic.publish", {60, 70}: "basic.get", {60, 80}: "basic.ack", {60, 90}: "basic.reject",
	{60, 100}: "basic.recover-async", {60, 110}: "basic.recover", {60, 120}: "basic.nack",
	{85, 10}: "confirm.select",
	{90, 10}: "tx.select", {90, 20}: "tx.commit", {90, 30}: "tx.rollback",
}
