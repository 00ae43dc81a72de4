package conformance

import (
	"crypto/tls"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/smtptest"
)

// tlsCases hold that mail and password never travel over a connection that was
// not asked for.
func tlsCases() []senderCase {
	logins := map[string]string{"user": "secret-word"}
	good := func(name, param string, mode smtptest.TLSMode) senderCase {
		return senderCase{
			name: name, tlsParam: param, script: smtptest.Script{TLS: mode, Users: logins}, user: "user", password: "secret-word",
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mustSend(workTo("b@example.com"))
				if tx := s.mails(2)[1]; !tx.TLS || tx.User != "user" {
					s.Errorf("the mail came over %+v", tx)
				}
				if err := s.sender.Probe(s.ctx); err != nil {
					s.Error(err)
				}
			},
		}
	}
	bad := func(name, param string, script smtptest.Script) senderCase {
		script.Users = logins
		return senderCase{
			name: name, tlsParam: param, script: script, user: "user", password: "secret-word",
			setup: SenderSetup{DialTimeout: short},
			run: func(s *senderTest) {
				s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 0)
				s.isFault(s.sender.Probe(s.ctx), message.FaultRelayHost, message.ReasonNone, 0)
				if st := s.srv.Stats(); st.Steps[smtptest.Auth]+st.Steps[smtptest.Mail] != 0 {
					s.Errorf("the sender went on without TLS: %v", st.Steps)
				}
			},
		}
	}
	oldTLS := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }
	hang := []smtptest.Rule{{At: smtptest.Handshake, End: smtptest.Silent}}
	const required, implicit = "required", "implicit"
	return []senderCase{
		good("STARTTLS and a login", required, smtptest.OfferTLS),
		good("implicit TLS and a login", implicit, smtptest.ImplicitTLS),
		bad("no STARTTLS offered", required, smtptest.Script{}),
		bad("an expired certificate", required, smtptest.Script{TLS: smtptest.OfferTLS, Cert: smtptest.Expired}),
		bad("a certificate for another name", required, smtptest.Script{TLS: smtptest.OfferTLS, Cert: smtptest.WrongName}),
		bad("a certificate signed by itself", required, smtptest.Script{TLS: smtptest.OfferTLS, Cert: smtptest.SelfSigned}),
		bad("TLS 1.1", required, smtptest.Script{TLS: smtptest.OfferTLS, TuneTLS: oldTLS}),
		bad("an expired certificate, implicit TLS", implicit, smtptest.Script{TLS: smtptest.ImplicitTLS, Cert: smtptest.Expired}),
		bad("TLS 1.1, implicit TLS", implicit, smtptest.Script{TLS: smtptest.ImplicitTLS, TuneTLS: oldTLS}),
		bad("a handshake that hangs", required, smtptest.Script{TLS: smtptest.OfferTLS, Rules: hang}),
		bad("a handshake that hangs, implicit TLS", implicit, smtptest.Script{TLS: smtptest.ImplicitTLS, Rules: hang}),
		bad("no TLS where it should be implicit", implicit, smtptest.Script{}),
		refusedStartTLS(),
		{
			name: "an answer slipped in before TLS is not heard", tlsParam: required,
			script: smtptest.Script{TLS: smtptest.OfferTLS, Rules: []smtptest.Rule{
				{At: smtptest.StartTLS, Raw: "220 go ahead\r\n250-injected\r\n250 SMTPUTF8\r\n"},
			}},
			run: func(s *senderTest) {
				s.mustSend(workTo("a@example.com"))
				s.mustFail(workTo("δοκιμή@example.com"), message.FaultPermanent, message.ReasonSMTPUTF8, 0)
			},
		},
	}
}

func refusedStartTLS() senderCase {
	return senderCase{
		name: "STARTTLS offered and refused", tlsParam: "required",
		script: smtptest.Script{TLS: smtptest.OfferTLS, Rules: []smtptest.Rule{{At: smtptest.StartTLS, Reply: "454 4.7.0 not now"}}},
		run: func(s *senderTest) {
			s.mustFail(workTo("a@example.com"), message.FaultRelayHost, message.ReasonNone, 454)
			if s.srv.Stats().Steps[smtptest.Mail] != 0 {
				s.Error("the mail went on in the open")
			}
		},
	}
}
