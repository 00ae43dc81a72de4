package tap

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// methodName follows the reference of AMQP 0-9-1 and RabbitMQ's extensions to
// it. A method that stands for nothing here is named by its numbers.
func methodName(class, method uint16) string {
	if name, ok := methods[[2]uint16{class, method}]; ok {
		return name
	}
	return fmt.Sprintf("%d.%d", class, method)
}

var methods = map[[2]uint16]string{
	{10, 10}: "connection.start", {10, 11}: "connection.start-ok", {10, 30}: "connection.tune",
	{10, 31}: "connection.tune-ok", {10, 40}: "connection.open", {10, 41}: "connection.open-ok",
	{10, 50}: "connection.close", {10, 51}: "connection.close-ok",
	{10, 60}: "connection.blocked", {10, 61}: "connection.unblocked",
	{20, 10}: "channel.open", {20, 11}: "channel.open-ok", {20, 20}: "channel.flow", {20, 21}: "channel.flow-ok",
	{20, 40}: "channel.close", {20, 41}: "channel.close-ok",
	{40, 10}: "exchange.declare", {40, 11}: "exchange.declare-ok", {40, 20}: "exchange.delete", {40, 21}: "exchange.delete-ok",
	{50, 10}: "queue.declare", {50, 11}: "queue.declare-ok", {50, 20}: "queue.bind", {50, 21}: "queue.bind-ok",
	{50, 30}: "queue.purge", {50, 31}: "queue.purge-ok", {50, 40}: "queue.delete", {50, 41}: "queue.delete-ok",
	{50, 50}: "queue.unbind", {50, 51}: "queue.unbind-ok",
	{60, 10}: "basic.qos", {60, 11}: "basic.qos-ok", {60, 20}: "basic.consume", {60, 21}: "basic.consume-ok",
	{60, 30}: "basic.cancel", {60, 31}: "basic.cancel-ok", {60, 40}: "basic.publish", {60, 50}: "basic.return",
	{60, 60}: "basic.deliver", {60, 70}: "basic.get", {60, 71}: "basic.get-ok", {60, 72}: "basic.get-empty",
	{60, 80}: "basic.ack", {60, 90}: "basic.reject", {60, 120}: "basic.nack",
	{85, 10}: "confirm.select", {85, 11}: "confirm.select-ok",
}

// arguments reads a method's arguments. Once they are too short it returns
// nothing but zeros.
type arguments struct {
	rest   []byte
	broken bool // they were too short
}

func (a *arguments) take(n int) []byte {
	if len(a.rest) < n {
		a.broken, a.rest = true, nil
		return make([]byte, n)
	}
	taken := a.rest[:n]
	a.rest = a.rest[n:]
	return taken
}

func (a *arguments) octet() byte   { return a.take(1)[0] }
func (a *arguments) short() uint16 { return binary.BigEndian.Uint16(a.take(2)) }
func (a *arguments) long() uint64  { return binary.BigEndian.Uint64(a.take(8)) }
func (a *arguments) text() string  { return string(a.take(int(a.octet()))) }

// ledger keeps what was sent and not yet answered, by channel and tag.
type ledger map[uint16]*page

type page struct {
	last  uint64 // the tag of the newest, where tags are counted here
	lines map[uint64]string
}

func newLedger() ledger { return ledger{} }

func (l ledger) open(channel uint16)  { l[channel] = &page{lines: map[uint64]string{}} }
func (l ledger) close(channel uint16) { delete(l, channel) }

// add counts the next tag; nothing is kept of a channel that awaits no answers.
func (l ledger) add(channel uint16, text string) {
	if p := l[channel]; p != nil {
		p.last++
		p.lines[p.last] = text
	}
}

func (l ledger) note(channel uint16, tag uint64, text string) {
	if p := l[channel]; p != nil {
		p.lines[tag] = text
	}
}

// settle strikes out what an answer is about; several are one to a line.
func (l ledger) settle(channel uint16, tag uint64, multiple bool) string {
	p := l[channel]
	if p == nil {
		return ""
	}
	if !multiple {
		text := p.lines[tag]
		delete(p.lines, tag)
		return text
	}
	var all []string
	for _, n := range slices.Sorted(maps.Keys(p.lines)) {
		if n <= tag || tag == 0 {
			all = append(all, p.lines[n])
			delete(p.lines, n)
		}
	}
	return strings.Join(all, "\n")
}
