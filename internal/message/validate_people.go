package message

import (
	"fmt"
	"strconv"
	"strings"
)

// people reads everybody the message names.
func (v *validator) people(d *Draft, head *Head) {
	switch {
	case d.From != "":
		head.From = v.address("/from", d.From)
	case !v.templated:
		v.fault("/from", CodeMissingField, "give the sender, such as Acme <noreply@example.com>")
	}
	if len(d.To) == 0 {
		v.fault("/to", CodeMissingRecipient, "give at least one recipient in to")
	}
	if n := len(d.To) + len(d.Cc) + len(d.Bcc); n > v.limits.Recipients {
		v.fault("/to", CodeTooManyRecipients, fmt.Sprintf("to, cc and bcc have %d recipients, at most %d are allowed", n, v.limits.Recipients))
		return
	}
	head.To, head.Cc, head.Bcc = v.addresses("to", d.To), v.addresses("cc", d.Cc), v.addresses("bcc", d.Bcc)
	if n := len(d.ReplyTo); n > v.limits.Recipients {
		v.fault("/reply_to", CodeTooLarge, fmt.Sprintf("has %d addresses, at most %d are allowed", n, v.limits.Recipients))
		return
	}
	head.ReplyTo = v.addresses("reply_to", d.ReplyTo)
}

func (v *validator) addresses(field string, list []string) []Address {
	var parsed []Address
	for i, s := range list {
		parsed = append(parsed, v.address(Pointer(field, strconv.Itoa(i)), s))
	}
	return parsed
}

func (v *validator) address(pointer, s string) Address {
	if strings.IndexByte(s, 0) >= 0 {
		v.fault(pointer, CodeInvalidField, "must not contain NUL")
		return Address{}
	}
	a, err := ParseAddress(s)
	if err != nil {
		v.fault(pointer, CodeInvalidAddress, err.Error())
	}
	return a
}
