package limit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"

	"github.com/postrider/postrider/bench/job"
	"github.com/postrider/postrider/bench/result"
)

const (
	smtpSessions = 32
	recipient    = "limit@example.com" // without a number, so that the sink counts it as no system's
)

// GoMail notes mails sent a second by go-mail over 32 sessions that stay open, without
// its NOOP before each mail: smtp-gomail-32.rate. It is what a careful user of the
// library has.
func (p Parts) GoMail(ctx context.Context, run *result.Run, round int) error {
	name := fmt.Sprintf("smtp-gomail-%d", smtpSessions)
	var open closer
	defer func() { open.close() }()
	steps, err := several(smtpSessions, func() (step, error) { return p.mailer(ctx, &open) })
	if err != nil {
		return failed(err, "%s", name)
	}
	perSecond, err := p.rate(ctx, steps)
	if err != nil {
		return failed(err, "%s", name)
	}
	note(run, round, name, perSecond)
	return nil
}

// mailer renders a mail and sends it on a session of its own.
func (p Parts) mailer(ctx context.Context, open *closer) (step, error) {
	host, port, err := net.SplitHostPort(p.Sink)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	client, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.NoTLS), mail.WithoutNoop())
	if err != nil {
		return nil, err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return nil, err
	}
	open.add(client.Close)
	return func(context.Context) error {
		m, err := newMail()
		if err != nil {
			return err
		}
		return client.Send(m)
	}, nil
}

func newMail() (*mail.Msg, error) {
	m, content := mail.NewMsg(), job.Mail{}
	if err := errors.Join(m.From(job.From), m.To(recipient)); err != nil {
		return nil, err
	}
	m.Subject(content.Subject())
	m.SetBodyString(mail.TypeTextPlain, content.Text())
	return m, nil
}
