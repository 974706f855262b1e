package main

import (
	"errors"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto"
)

// advice says what a person does about the end of a connection, or "".
func (s *service) advice(err error) string {
	g := &s.config.Gateway
	closed := wsproto.CloseCode(0)
	if e, ok := errors.AsType[*wsproto.CloseError](err); ok && e.Remote {
		closed = e.Code
	}
	switch {
	case errors.Is(err, wsproto.CodeEnrollment):
		return "have a new enrollment code made (gateway code " + g.Tenant + ` 'HOST\NAME'), put it into ` + g.EnrollmentCodeFile +
			", and start again"
	case errors.Is(err, tpm.ErrAuth):
		return "look at tpmAuth: keyFile is to hold what the keys in " + s.config.State + " were made with, ownerFile and " +
			"endorsementFile what these hierarchies of the TPM have"
	case errors.Is(err, wsproto.CodeAttestation), closed == wsproto.CloseAttestation:
		return "the tenant wants to be shown more about these keys. If they are files, begin again with keys in a TPM: start " +
			"with -tpm and another \"state\"; if they are in one, have its manufacturer's root, or its EK hash (connector show), " +
			"put into the gateway's configuration (attestation)"
	case errors.Is(err, wsproto.CodeRevoked), closed == wsproto.CloseRevoked:
		return "if its keys were rotated while it ran, only start it again. If not, have it approved (gateway approve " +
			g.Tenant + " " + s.fingerprint + "), or remove " + s.config.State + " to register anew; then start again"
	case closed == wsproto.CloseDuplicateKey:
		return "another installation has the keys of this one. If this one is the copy, remove " + s.config.State +
			" here; if it was installed anew with its old keys, have it approved: gateway approve " + g.Tenant + " " + s.fingerprint
	case closed == wsproto.CloseSuperseded:
		return "another process runs with the identity in " + s.config.State + ": end one of the two. If nobody started one, " +
			"the folder was copied: have this connector revoked (gateway revoke " + g.Tenant + " " + s.fingerprint +
			"), remove the folder, and register anew"
	case errors.Is(err, wsproto.ErrVersion), errors.Is(err, wsproto.CodeVersion), closed == wsproto.CloseVersion:
		return "gateway and connector have no protocol version in common: update the older one"
	case errors.Is(err, wsproto.ErrTenantKey):
		return "the key of the gateway is not the one that gateway.tenantKey, the enrollment code or the registration in " +
			s.config.State + " names: is this the right gateway, and did it keep its key?"
	case errors.Is(err, wsproto.ErrSignature), closed == wsproto.CloseNotAuthenticated:
		return "gateway and connector sign with the tenant's name and the host and port of the URL: is gateway.tenant (" +
			g.Tenant + ") the name that the gateway has, and gateway.url (" + g.URL + ") the URL in its configuration?"
	}
	return ""
}
