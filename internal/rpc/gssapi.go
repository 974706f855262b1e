package rpc

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
)

// messenger is what go-msrpc's mechanisms offer for the protection of messages in several parts.
type messenger interface {
	WrapEx(context.Context, *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx, error)
	UnwrapEx(context.Context, *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx, error)
	MakeSignatureEx(context.Context, *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx, error)
	VerifySignatureEx(context.Context, *gssapi.MessageTokenEx) error
	WrapSizeLimit(context.Context, int, bool) int
}

// GSSAPI is the [Protector] of a complete security context of go-msrpc, which is in ctx (gssapi.NewSecurityContext).
//
// go-msrpc's NTLM computes the signature of a sealed message and does not compare it with the one that was received;
// for it, with or without SPNEGO around, compareSignature has to be true. Its Kerberos verifies by itself and returns
// a signature that is not the received one: false.
func GSSAPI(ctx context.Context, compareSignature bool) Protector {
	return &gssProtector{ctx: ctx, via: contextMessenger{}, compare: compareSignature}
}

// NTLM is the [Protector] of an authentication that go-msrpc's NTLM has completed, on either side, without a security
// context around it. Config.Integrity and Config.Confidentiality have to be set as negotiated.
func NTLM(a *ntlm.Authentifier) Protector {
	// The mechanism only reports its status to the context; it needs one that has room for it.
	ctx := gssapi.NewSecurityContext(context.Background())
	return &gssProtector{ctx: ctx, via: &ntlm.Mechanism{Authentifier: a}, compare: true}
}

// gssProtector adapts a messenger. A security context of go-msrpc is a context value, so it is kept.
type gssProtector struct {
	ctx     context.Context
	via     messenger
	compare bool
}

// CoversHeader is true for NTLM; see parts.
func (g *gssProtector) CoversHeader() bool { return g.compare }

func (g *gssProtector) SignatureSize(seal bool) int { return -g.via.WrapSizeLimit(g.ctx, 0, seal) }

// parts makes the payloads. Without header signing, header and trailer are there without a request for anything: NTLM
// signs every buffer that it sees, whatever was negotiated (MS-NLMP section 3.4.6.1; Windows, Samba and impacket agree),
// and other mechanisms leave them out.
func (m *Message) parts() *gssapi.MessageTokenEx {
	var frame gssapi.Cap
	if m.SignHeader {
		frame = gssapi.Integrity
	}
	body := gssapi.Integrity
	if m.Seal {
		body |= gssapi.Confidentiality
	}
	return &gssapi.MessageTokenEx{Payloads: []*gssapi.PayloadEx{
		{Capabilities: frame, Payload: m.Header},
		{Capabilities: body, Payload: m.Body},
		{Capabilities: frame, Payload: m.Trailer},
	}}
}

// take copies what came back: a mechanism may return other slices than it was given.
func (m *Message) take(t *gssapi.MessageTokenEx) error {
	if len(t.Payloads) != 3 || len(t.Payloads[1].Payload) != len(m.Body) {
		return errors.New("security mechanism changed the length of a message")
	}
	copy(m.Body, t.Payloads[1].Payload)
	return nil
}

func (g *gssProtector) Wrap(m *Message) ([]byte, error) {
	f := g.via.MakeSignatureEx
	if m.Seal {
		f = g.via.WrapEx
	}
	t, err := f(g.ctx, m.parts())
	if err != nil {
		return nil, err
	}
	return t.Signature, m.take(t)
}

func (g *gssProtector) Unwrap(m *Message, signature []byte) error {
	t := m.parts()
	t.Signature = append([]byte(nil), signature...)
	if !m.Seal {
		return g.via.VerifySignatureEx(g.ctx, t)
	}
	t, err := g.via.UnwrapEx(g.ctx, t)
	if err != nil {
		return err
	}
	if g.compare && subtle.ConstantTimeCompare(t.Signature, signature) != 1 {
		return errors.New("signature is wrong")
	}
	return m.take(t)
}

// contextMessenger goes through the functions of package gssapi, which find the mechanism in the context.
type contextMessenger struct{}

func (contextMessenger) WrapEx(ctx context.Context, t *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx, error) {
	return gssapi.WrapEx(ctx, t)
}

func (contextMessenger) UnwrapEx(ctx context.Context, t *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx, error) {
	return gssapi.UnwrapEx(ctx, t)
}

func (contextMessenger) MakeSignatureEx(ctx context.Context, t *gssapi.MessageTokenEx) (*gssapi.MessageTokenEx,
	error) {
	return gssapi.MakeSignatureEx(ctx, t)
}

func (contextMessenger) VerifySignatureEx(ctx context.Context, t *gssapi.MessageTokenEx) error {
	return gssapi.VerifySignatureEx(ctx, t)
}

func (contextMessenger) WrapSizeLimit(ctx context.Context, n int, conf bool) int {
	return gssapi.WrapSizeLimit(ctx, n)
}
