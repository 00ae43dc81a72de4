package witness

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"net/textproto"
	"strings"

	"github.com/postrider/postrider/internal/smtptest"
	"github.com/postrider/postrider/test/check"
)

// Copies lists the mails that the scripted relay host has: those whose final dot
// it saw and did not refuse. A server that forgets contents knows no Message-ID.
func Copies(transactions []smtptest.Transaction) []check.Copy {
	var list []check.Copy
	for i := range transactions {
		t := &transactions[i]
		if !t.Dot || t.Reply != "" && !t.Accepted() {
			continue
		}
		id := messageID(t.Data)
		message, _, _ := strings.Cut(id, "@")
		for _, to := range t.Rcpts {
			list = append(list, check.Copy{
				At: t.At, MessageID: id, Message: message, Recipient: to,
				Hash: sha256.Sum256(t.Data), Told: t.Accepted(),
			})
		}
	}
	return list
}

// messageID is the header field without its brackets; "" if there is none.
func messageID(content []byte) string {
	header, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(content))).ReadMIMEHeader()
	return strings.Trim(strings.TrimSpace(header.Get("Message-Id")), "<>")
}
