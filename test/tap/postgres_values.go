package tap

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgproto3"
)

// longestValue bounds what is kept of an argument: a mail's text may be one.
const longestValue = 200

// values writes out the arguments of a Bind, each behind a blank.
func values(m *pgproto3.Bind) string {
	var b strings.Builder
	for i, v := range m.Parameters {
		b.WriteByte(' ')
		b.WriteString(value(v, binaryFormat(m.ParameterFormatCodes, i)))
	}
	return b.String()
}

// binaryFormat: no code is text for all, a single one is for all.
func binaryFormat(codes []int16, i int) bool {
	switch len(codes) {
	case 0:
		return false
	case 1:
		return codes[0] == pgproto3.BinaryFormat
	default:
		return i < len(codes) && codes[i] == pgproto3.BinaryFormat
	}
}

// value tells binary numbers and ids by their length, since types are not named
// in a Bind: good enough to find one that is looked for.
func value(v []byte, binaryFormat bool) string {
	switch {
	case v == nil:
		return "NULL"
	case binaryFormat && len(v) == 16:
		return uuid.UUID(v).String()
	case binaryFormat && len(v) == 8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10)
	case binaryFormat && len(v) == 4:
		return strconv.FormatInt(int64(int32(binary.BigEndian.Uint32(v))), 10)
	default:
		return string(v[:min(len(v), longestValue)])
	}
}
