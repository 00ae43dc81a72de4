package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math/big"
	"strings"
)

// A key is pr_, 32 random bytes and the CRC-32 of what stands before it, both in
// base 62. The checksum tells a mistyped or invented key without a question to
// the database, and scanners of source code a leaked one from a likeness.
const (
	tokenMark   = "pr_"
	secretBytes = 32
	secretSigns = 43 // 256 bits in base 62
	checkSigns  = 6  // 32 bits in base 62
	prefixSigns = 8  // shown to tell keys apart; 227 bits stay secret
)

// newToken makes a key.
func newToken() string {
	var secret [secretBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: without randomness it ends the process
	body := tokenMark + base62(secret[:], secretSigns)
	return body + checksum(body)
}

func checksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return base62(sum[:], checkSigns)
}

func base62(b []byte, signs int) string {
	text := new(big.Int).SetBytes(b).Text(62)
	return strings.Repeat("0", signs-len(text)) + text
}

// wellFormed reports whether a key can be one of newToken's.
func wellFormed(token string) bool {
	const body = len(tokenMark) + secretSigns
	return len(token) == body+checkSigns && strings.HasPrefix(token, tokenMark) && checksum(token[:body]) == token[body:]
}

// digest is what is known of a key. A plain SHA-256 is right for what nobody can
// guess; the slow hashes are for passwords.
func digest(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }
