package message

import "strings"

// foldAddress is the form in which two addresses are the same recipient. Mail
// hosts may treat local parts by case; none that matters does, and two copies
// to one person are worse. Only ASCII is folded: Unicode's lower case makes one
// letter of two different ones, such as k and the Kelvin sign, and a recipient
// must never be lost.
func foldAddress(email string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, email)
}
