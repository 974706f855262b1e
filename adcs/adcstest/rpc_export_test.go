package adcstest

import (
	"errors"
	"net"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// ServeConn serves one connection to the CA's interface (or the endpoint mapper's) on this goroutine, so that tests can
// bring their own net.Conn.
func (s *Server) ServeConn(nc net.Conn, mapper bool) {
	l := s.ca
	if mapper {
		l = s.mapper
	}
	s.newConn(s.group.ctx, nc, l).serve()
	_ = nc.Close()
}

// NewUnlistened is a server without listeners and goroutines, for ServeConn.
func NewUnlistened(opts *Options) (*Server, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	s.ca = newListener(49700, s.caInterface())
	s.exporter = newListener(49701, s.objectInterfaces()...)
	s.mapper = newListener(135, s.mapperInterfaces()...)
	return s, nil
}

// VerifyNTLMv2 is verifyNTLMv2 with the fields of an AUTHENTICATE message that it reads.
func VerifyNTLMv2(password, user, domain string, nonce, response []byte) ([]byte, bool) {
	return verifyNTLMv2(password, &authenticateMessage{user: user, domain: domain, nt: response}, nonce)
}

// UnsealNTLM verifies and decrypts the first message of a client in a session with this key.
func UnsealNTLM(flags uint32, key, body, signature []byte) ([]byte, error) {
	s, err := newNTLMSession(flags, key)
	if err != nil {
		return nil, err
	}
	if !s.verify(true, nil, body, nil, signature) {
		return nil, errSignature
	}
	return body, nil
}

// ParseAuthenticate returns user and domain of an AUTHENTICATE message.
func ParseAuthenticate(b []byte, unicode bool) (user, domain string, err error) {
	m, err := parseAuthenticate(b, unicode)
	if err != nil {
		return "", "", err
	}
	return m.user, m.domain, nil
}

// CertServer is the input and output of CertServerRequest, for the tests of its encoding.
type CertServer struct {
	Flags, RequestID, Disposition, Return uint32
	Authority                             string
	Attributes, Request                   []byte
	Cert, EncodedCert, Message            []byte
}

// DecodeCertServerRequest is decodeCertServerRequest.
func DecodeCertServerRequest(stub []byte, wide bool) (CertServer, int, error) {
	in, n, err := decodeCertServerRequest(ndr.NewReader(stub, wide))
	return CertServer{
		Flags: in.flags, RequestID: in.requestID, Authority: in.authority, Attributes: in.attributes, Request: in.request,
	}, n, err
}

// EncodeCertServerResponse is encodeCertServerResponse.
func EncodeCertServerResponse(v CertServer, wide bool) []byte {
	return encodeCertServerResponse(certServerResponse{
		requestID: v.RequestID, disposition: v.Disposition, cert: v.Cert, encodedCert: v.EncodedCert,
		message: v.Message, ret: v.Return,
	}, wide)
}

// IsBadStub says whether err is the one for stub data that cannot be decoded.
func IsBadStub(err error) bool { return errors.Is(err, errStub) }

// AcceptTokens feeds tokens to an acceptor of the server and returns the account that logged on, "" if none did.
func (s *Server) AcceptTokens(authType uint8, tokens ...[]byte) (account string, replies [][]byte) {
	a := &authContext{acceptor: s.newAcceptor(rpc.AuthType(authType))}
	for _, token := range tokens {
		reply, err := a.accept(token)
		if err != nil {
			return "", replies
		}
		replies = append(replies, reply)
	}
	if a.state != authEstablished {
		return "", replies
	}
	return a.who.account(), replies
}
