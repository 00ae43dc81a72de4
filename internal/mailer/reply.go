package mailer

import (
	"bufio"
	"cmp"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxReply = 64 << 10 // bytes of one reply; real ones have hundreds
	maxRaw   = 4000     // bytes of it that are looked at
	maxText  = 1000     // bytes of it that are kept, cleaned
)

var errGarbled = errors.New("what the relay host answered is no SMTP reply")

// reply is what the relay host answered to a command.
type reply struct {
	code     int
	enhanced string // RFC 3463, such as 5.1.1; may be empty
	text     string // the lines in one, as received
	cut      bool   // the reply did not end: its code is known, the session is lost
}

func (r reply) class() int { return r.code / 100 }

// readReply reads one reply. Each line of a reply bears the code (RFC 5321,
// 4.2.1): so one that never ends, or that breaks off in the middle, still says
// what became of the command. Only where not even one line came is there an
// error.
func readReply(r *bufio.Reader) (reply, error) {
	var got reply
	var text strings.Builder
	for size := 0; ; {
		line, n, err := readLine(r, maxReply-size)
		size += n
		code, words, more, ok := parseLine(line)
		if ok && err != nil {
			ok = len(line) > 3 // half a code would be another code
		}
		if !ok && got.code == 0 {
			return reply{}, cmp.Or(err, errGarbled)
		}
		if ok {
			got.code = code
			got.add(&text, words)
		}
		if ended := ok && err == nil && !more; ended || !ok || err != nil || size >= maxReply {
			got.cut = !ended
			break
		}
	}
	got.text = text.String()
	return got, nil
}

// readLine returns the start of a line, and how much was read of it; the start
// also with an error.
func readLine(r *bufio.Reader, limit int) (line string, n int, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		if n += len(piece); len(line) < maxRaw {
			line += string(piece)
		}
		switch {
		case err == nil:
			return strings.TrimRight(line, "\r\n"), n, nil
		case n >= limit:
			return line, n, errTooMuch
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, n, err
		}
	}
}

func parseLine(line string) (code int, words string, more, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	code, err := strconv.Atoi(line[:3])
	if err != nil || code < 100 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, "", false, false
	}
	if len(line) == 3 {
		return code, "", false, true
	}
	return code, line[4:], line[3] == '-', true
}

// cutEnhanced splits an enhanced code (RFC 3463) off the words after it.
func cutEnhanced(words string) (enhanced, rest string) {
	first, rest, _ := strings.Cut(words, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || len(first) > len("5.999.999") {
		return "", words
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return "", words
		}
	}
	return first, rest
}

// add appends a line's words; the enhanced code stands before those of each
// line (RFC 2034, 4) and is kept once.
func (r *reply) add(text *strings.Builder, words string) {
	enhanced, rest := cutEnhanced(words)
	if enhanced != "" && enhanced[0] == byte('0'+r.class()) {
		r.enhanced, words = enhanced, rest
	}
	if text.Len() < maxRaw {
		text.WriteString(words)
		text.WriteByte(' ')
	}
}

// clean makes a server's words fit to be stored and shown: valid UTF-8 in one
// line, without control characters, at most 1,000 bytes.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
