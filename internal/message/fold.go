package message

import "strings"

// foldAddress is the form in which two addresses are the same recipient. Mail
// hosts may treat local parts by case; none that matters does, and two copies
// to one person are worse.
func foldAddress(email string) string { return strings.ToLower(email) }
