package smtptest

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (s *Server) mechanisms() []string {
	if s.script.Mechanisms == nil {
		return []string{"PLAIN", "LOGIN"}
	}
	return s.script.Mechanisms
}

// auth lets a user in who knows the password. Rules act once the exchange is
// over.
func (s *session) auth(line, arg string) error {
	mech, first, _ := strings.Cut(arg, " ")
	user, ok := "", false
	if slices.Contains(s.srv.mechanisms(), mech) {
		var err error
		if user, ok, err = s.exchange(mech, first); err != nil {
			return err
		}
	}
	reply := "535 5.7.8 authentication failed"
	if ok {
		reply = "235 2.7.0 welcome"
	}
	reply, err := s.step(Auth, line, reply)
	if strings.HasPrefix(reply, "235") {
		s.user = user
	}
	return err
}

func (s *session) exchange(mech, first string) (user string, ok bool, err error) {
	switch mech {
	case "PLAIN":
		return s.plain(first)
	case "LOGIN":
		return s.login()
	case "CRAM-MD5":
		return s.cramMD5()
	case "SCRAM-SHA-256":
		return s.scram()
	}
	return "", false, nil
}

func (s *session) plain(first string) (string, bool, error) {
	decoded, _ := base64.StdEncoding.DecodeString(first)
	parts := strings.Split(string(decoded), "\x00")
	if len(parts) != 3 {
		return "", false, nil
	}
	return parts[1], s.knows(parts[1], parts[2]), nil
}

func (s *session) login() (string, bool, error) {
	user, err := s.challenge("Username:")
	if err != nil {
		return "", false, err
	}
	password, err := s.challenge("Password:")
	return user, s.knows(user, password), err
}

func (s *session) cramMD5() (string, bool, error) {
	const nonce = "<1896.697170952@smtptest>"
	answer, err := s.challenge(nonce)
	user, digest, _ := strings.Cut(answer, " ")
	mac := hmac.New(md5.New, []byte(s.srv.script.Users[user]))
	mac.Write([]byte(nonce))
	return user, digest == hex.EncodeToString(mac.Sum(nil)), err
}

// scram is SCRAM-SHA-256 of RFC 7677 without channel binding.
func (s *session) scram() (string, bool, error) {
	const salt = "smtptest salt"
	iterations := cmp.Or(s.srv.script.Iterations, 4096)
	first, err := s.challenge("")
	if err != nil {
		return "", false, err
	}
	bare := strings.TrimPrefix(first, "n,,")
	name, clientNonce, _ := strings.Cut(bare, ",r=")
	user := strings.TrimPrefix(name, "n=")
	offer := fmt.Sprintf("r=%sserver,s=%s,i=%d", clientNonce, base64.StdEncoding.EncodeToString([]byte(salt)), iterations)
	final, err := s.challenge(offer)
	if err != nil || final == "" { // a client that cancels
		return "", false, err
	}
	unproved, proof, _ := strings.Cut(final, ",p=")
	signed := bare + "," + offer + "," + unproved
	salted, err := pbkdf2.Key(sha256.New, s.srv.script.Users[user], []byte(salt), iterations, sha256.Size)
	if err != nil {
		return "", false, err
	}
	if proof != clientProof(salted, signed) {
		return user, false, nil
	}
	serverKey := sign(salted, "Server Key")
	_, err = s.challenge("v=" + base64.StdEncoding.EncodeToString(sign(serverKey, signed)))
	return user, true, err
}

func clientProof(salted []byte, signed string) string {
	clientKey := sign(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	signature := sign(stored[:], signed)
	for i := range signature {
		signature[i] ^= clientKey[i]
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (s *session) challenge(text string) (string, error) {
	if err := s.say("334 " + base64.StdEncoding.EncodeToString([]byte(text))); err != nil {
		return "", err
	}
	line, err := s.readLine()
	if err != nil {
		return "", err
	}
	decoded, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		decoded = nil // a client that cancels is one that does not know
	}
	return string(decoded), nil
}

func (s *session) knows(user, password string) bool {
	want, known := s.srv.script.Users[user]
	return known && want == password
}
