package tap

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
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
	case binaryFormat && isArray(v):
		return elements(v)
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

// arrayHead is what stands before the elements of an array of one dimension.
const arrayHead = 20

// isArray tells an array by its head: one dimension, a flag for NULLs, and the type
// of what it holds, which is one of those that lists are made of.
func isArray(v []byte) bool {
	if len(v) < arrayHead || binary.BigEndian.Uint32(v) != 1 || binary.BigEndian.Uint32(v[4:]) > 1 {
		return false
	}
	switch binary.BigEndian.Uint32(v[8:]) {
	case pgtype.UUIDOID, pgtype.Int8OID, pgtype.TextOID, pgtype.ByteaOID:
		return true
	}
	return false
}

// elements writes an array's elements, separated by commas.
func elements(v []byte) string {
	text := binary.BigEndian.Uint32(v[8:]) == pgtype.TextOID
	var list []string
	for v = v[arrayHead:]; len(v) >= 4; {
		size := int32(binary.BigEndian.Uint32(v))
		if v = v[4:]; size < 0 {
			list = append(list, "NULL")
			continue
		}
		if int(size) > len(v) {
			break
		}
		list = append(list, value(v[:size], !text))
		v = v[size:]
	}
	return strings.Join(list, ",")
}
