package mailer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/postrider/postrider/internal/message"
	"github.com/postrider/postrider/internal/render"
)

// refusedSetUp turns what the SMTP client says into a failure of the relay
// host: a reply of its, or a broken connection.
func (m *Mailer) refusedSetUp(ctx context.Context, at stage, err error) error {
	var refused *textproto.Error
	if ctx.Err() == nil && errors.As(err, &refused) {
		enhanced, _ := cutEnhanced(refused.Msg)
		text := strings.TrimPrefix(refused.Msg, enhanced)
		return m.refused(at, reply{code: refused.Code, enhanced: enhanced, text: text})
	}
	if at == stageAuth && !isNetwork(err) {
		// The client's errors may quote the exchange: words are kept, redacted,
		// and the error itself is not.
		err = errors.New(m.words(err.Error()))
	}
	return m.broken(ctx, at, err)
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, os.ErrDeadlineExceeded)
}

// words makes what was said fit to be kept. The login goes first, while it is
// whole.
func (m *Mailer) words(text string) string { return clean(m.redact.Replace(text)) }

// refused is a failure by a reply.
func (m *Mailer) refused(at stage, r reply) *message.SendError {
	e := &message.SendError{
		RelayHost: m.host.addr, Stage: string(at), Code: r.code, Enhanced: r.enhanced,
		Text: m.words(fmt.Sprintf("in reply to %s: %s", at, r.text)),
	}
	e.Fault, e.Reason = faultOf(at, r.code)
	return e
}

// faultOf reads a reply that is not the one hoped for.
func faultOf(at stage, code int) (message.Fault, message.Reason) {
	switch at {
	case stageConnect, stageEhlo, stageStartTLS, stageAuth:
		return message.FaultRelayHost, message.ReasonNone
	case stageRset, stageMail, stageRcpt, stageData, stageContent, stageDot:
	}
	switch {
	case code/100 == 4:
		return message.FaultTemporary, message.ReasonNone
	case at == stageDot && code/100 != 5: // no code of a reply to a mail: it may have been taken
		return message.FaultUnknown, message.ReasonNone
	case at != stageDot && (code == 530 || code == 534 || code == 535 || code == 538):
		return message.FaultTemporary, message.ReasonNone
	case code/100 == 5:
		return message.FaultPermanent, message.ReasonRejected
	}
	return message.FaultTemporary, message.ReasonNone
}

// turnedAway reports whether the host, or what stands before it, was there and
// closed the connection before its greeting, or before the TLS that comes first. A
// host that is silent is not meant: others would be as well.
func (m *Mailer) turnedAway(e *message.SendError) bool {
	before := e.Stage == string(stageConnect) || e.Stage == string(stageStartTLS) && m.host.mode == tlsImplicit
	if !before || e.Code != 0 {
		return false
	}
	return slices.ContainsFunc([]error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF},
		func(end error) bool { return errors.Is(e, end) })
}

// broken is a failure without a reply. A caller that gave up is no fault of the
// relay host's.
func (m *Mailer) broken(ctx context.Context, at stage, err error) *message.SendError {
	e := &message.SendError{RelayHost: m.host.addr, Stage: string(at), Err: err, Fault: message.FaultRelayHost}
	var unread *render.FileError
	if ctx.Err() == nil && errors.As(err, &unread) {
		e = m.unreadable(ctx, unread)
		e.Stage = string(at)
		return e
	}
	switch {
	case at == stageDot:
		e.Fault = message.FaultUnknown
	case ctx.Err() != nil:
		e.Fault, e.Err = message.FaultTemporary, context.Cause(ctx)
	case slices.Contains([]stage{stageRset, stageMail, stageRcpt, stageData, stageContent}, at):
		e.Fault = message.FaultTemporary
	}
	what := "broken off at "
	if errors.Is(e.Err, os.ErrDeadlineExceeded) {
		what = "timed out at "
	}
	e.Text = m.words(what + string(at) + ": " + e.Err.Error())
	return e
}
