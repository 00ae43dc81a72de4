package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os/exec"
	"strings"

	"github.com/postrider/postrider/test/rig"
)

// The wires of an island. Control is never cut: over it the process is asked how it
// is.
const (
	wireControl  = "control"
	wireBroker   = "broker"
	wireDatabase = "postgres"
	wireRelay    = "smtp"
)

func islandWires() []string { return []string{wireControl, wireBroker, wireDatabase, wireRelay} }

// island is a network of one process's own, with a wire to each service. A wire that
// is cut swallows what is sent, as a broken switch does: neither end is told.
type island struct {
	name   string // of the network namespace
	cables map[string]*rig.Cable
	failed error // of edit, which cannot return it
}

// newIsland needs the right to make network namespaces, which root has.
func newIsland(ctx context.Context) (*island, error) {
	i := &island{name: fmt.Sprintf("pr%04x", rand.IntN(1<<16)), cables: map[string]*rig.Cable{}}
	err := i.ip(ctx, "netns", "add", i.name)
	if err != nil {
		return nil, fmt.Errorf("make a network namespace; run this as root, with iproute2 installed: %w", err)
	}
	for _, wire := range islandWires() {
		if err := i.lay(ctx, wire); err != nil {
			return nil, errors.Join(err, i.remove(ctx))
		}
	}
	return i, nil
}

// lay makes a pair of devices, one on each side, with an address each.
func (i *island) lay(ctx context.Context, wire string) error {
	near, far := i.device(wire), i.name+"x"
	return errors.Join(
		i.ip(ctx, "link", "add", near, "type", "veth", "peer", "name", far),
		i.ip(ctx, "addr", "add", i.address(wire, 1)+"/30", "dev", near),
		i.ip(ctx, "link", "set", near, "up"),
		i.ip(ctx, "link", "set", far, "netns", i.name, "name", near),
		i.ip(ctx, "-n", i.name, "addr", "add", i.address(wire, 2)+"/30", "dev", near),
		i.ip(ctx, "-n", i.name, "link", "set", near, "up"),
	)
}

func (i *island) device(wire string) string { return i.name + "-" + wire[:2] }

// address is that of the near end (1) or the far end (2) of a wire.
func (i *island) address(wire string, end int) string {
	var b byte
	_, _ = fmt.Sscanf(i.name, "pr%02x", &b)
	for n, w := range islandWires() {
		if w == wire {
			return fmt.Sprintf("10.%d.%d.%d", 200+b%50, n, end)
		}
	}
	return ""
}

func (i *island) ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (i *island) cut(ctx context.Context, wire string) error {
	return i.ip(ctx, "link", "set", i.device(wire), "down")
}

func (i *island) mend(ctx context.Context, wire string) error {
	return i.ip(ctx, "link", "set", i.device(wire), "up")
}

// remove takes the wires with it.
func (i *island) remove(ctx context.Context) error {
	for _, c := range i.cables {
		c.Close()
	}
	return i.ip(ctx, "netns", "del", i.name)
}

// edit leads a process's connections over the wires, and its /metrics to control.
func (i *island) edit(m *rig.Member, env map[string]string) {
	for wire, name := range map[string]string{
		wireBroker: "POSTRIDER_RABBITMQ_URL", wireDatabase: "POSTRIDER_DATABASE_URL", wireRelay: "POSTRIDER_SMTP_URL",
	} {
		through, err := i.through(wire, env[name])
		i.failed = errors.Join(i.failed, err)
		env[name] = through
	}
	_, port, err := net.SplitHostPort(env["POSTRIDER_METRICS_LISTEN"])
	i.failed = errors.Join(i.failed, err)
	env["POSTRIDER_METRICS_LISTEN"] = net.JoinHostPort(i.address(wireControl, 2), port)
	m.Metrics = "http://" + env["POSTRIDER_METRICS_LISTEN"]
}

// through has a cable behind the wire's near end, since services listen on the
// loopback only.
func (i *island) through(wire, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	if i.cables[wire] == nil {
		if i.cables[wire], err = rig.NewCableAt(i.address(wire, 1)+":0", u.Host); err != nil {
			return "", err
		}
	}
	return i.cables[wire].Through(raw)
}

// launch starts the process on the island; its process id stays the same.
func (i *island) launch(c *rig.Command) {
	ip, err := exec.LookPath("ip")
	i.failed = errors.Join(i.failed, err)
	c.Args = append([]string{"netns", "exec", i.name, c.Path}, c.Args...)
	c.Path = ip
}
