package message

import "strings"

// SimulatorDomain is that of addresses whose mail is never handed to a relay host:
// a worker acts as the host would that they name. No such domain can ever exist
// (RFC 6761, 6.2), so that none of its mail is missed by anybody; and it is not a
// setting, so that nobody's real domain becomes it by mistake.
const SimulatorDomain = "simulator.postrider.test"

// Simulated returns the part before the @, without what follows a + in it, of an
// address of SimulatorDomain; ok is false for all others.
func Simulated(address string) (part string, ok bool) {
	part, domain, _ := strings.Cut(address, "@")
	part, _, _ = strings.Cut(part, "+")
	return foldAddress(part), domain == SimulatorDomain
}
