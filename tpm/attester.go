package tpm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/google/go-tpm/tpm2"
)

// Attester proves that two keys are in the same TPM: the half of a connector, whose other half is [Verifier]. It is
// safe for any number of goroutines.
type Attester struct {
	t                    *TPM
	identity, decryption *key
	known                atomic.Pointer[attested]
}

// attested is what the first call has found out.
type attested struct {
	ek   *foundEK
	text json.RawMessage
}

// NewAttester returns the attester of two keys of the same TPM: a *[Signer] and a *[KeyExchanger], both P-256. It
// uses no TPM yet. Its error matches the [EvidenceReason] for which a verifier would refuse a key, such as one that
// was made by another program with other attributes.
func NewAttester(identity crypto.Signer, decryption ecdh.KeyExchanger) (*Attester, error) {
	signer, isOurs := identity.(*Signer)
	exchanger, isOursToo := decryption.(*KeyExchanger)
	if !isOurs || !isOursToo || signer.t != exchanger.t {
		return nil, errors.New("tpm: attestation: the two keys are not in the same TPM; it proves nothing about others")
	}
	a := &Attester{t: signer.t, identity: signer.key, decryption: exchanger.key}
	identitySPKI, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("tpm: attestation: identity key: %w", err)
	}
	decryptionSPKI, err := x509.MarshalPKIXPublicKey(exchanger.PublicKey())
	if err != nil {
		return nil, fmt.Errorf("tpm: attestation: decryption key: %w", err)
	}
	keys := a.keys()
	if _, err := checkKeys(&keys, identitySPKI, decryptionSPKI); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Attester) keys() evidenceKeys {
	return evidenceKeys{Identity: tpm2.Marshal(*a.identity.public), Decryption: tpm2.Marshal(*a.decryption.public)}
}

// Evidence returns the evidence for a verifier, a JSON object of the format "tpm2". It is the same in every call, and
// as long as the TPM has the same endorsement key and certificates; after the first call it costs no command. Nothing
// in it is secret, though it identifies the TPM.
func (a *Attester) Evidence(ctx context.Context) (json.RawMessage, error) {
	known, err := a.once(ctx)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(known.text), nil
}

func (a *Attester) once(ctx context.Context) (*attested, error) {
	if known := a.known.Load(); known != nil {
		return known, nil
	}
	found, err := a.t.findEK(ctx)
	if err != nil {
		return nil, fmt.Errorf("tpm: evidence: %w", err)
	}
	text, err := json.Marshal(evidence{
		Format: FormatTPM2, Keys: a.keys(),
		EK: evidenceEK{Public: found.ek.area.raw, Certificate: found.certificate, Intermediates: found.intermediates},
	})
	if err != nil {
		return nil, fmt.Errorf("tpm: evidence: %w", err)
	}
	a.known.CompareAndSwap(nil, &attested{ek: found, text: text})
	return a.known.Load(), nil
}

// Activate has the TPM open a verifier's credentials, one for each key, and returns what was in them: an activation.
// The TPM does so only for keys that it holds. What is opened comes from the TPM encrypted. Credentials that are not
// for this TPM and these keys are an [*EvidenceError].
func (a *Attester) Activate(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	wanted, err := decodeCredentials(credentials)
	if err != nil {
		return nil, err
	}
	known, err := a.once(ctx)
	if err != nil {
		return nil, err
	}
	var opened activation
	err = a.t.use(ctx, func(c *conn) (err error) {
		ek, err := c.openEK(known.ek)
		if err != nil {
			return err
		}
		if opened.Identity, err = c.activate(ek, a.identity, &wanted.Identity, "identity"); err != nil {
			return err
		}
		opened.Decryption, err = c.activate(ek, a.decryption, &wanted.Decryption, "decryption")
		return err
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(opened)
}

// loadedEK is an endorsement key in the TPM.
type loadedEK struct {
	tpm2.NamedHandle
	policy *session // nil for a key whose own authorization value, which is empty, suffices
}

// openEK makes or finds the endorsement key. It is the same as before, or everything has to begin anew.
func (c *conn) openEK(found *foundEK) (*loadedEK, error) {
	h, err := c.loadEK(found)
	if err != nil {
		return nil, err
	}
	ek := &loadedEK{NamedHandle: tpm2.NamedHandle{Handle: h, Name: *found.ek.name}}
	if found.ek.area.attributes&bitUserWithAuth != 0 {
		return ek, nil
	}
	p, err := c.parent()
	if err != nil {
		return nil, err
	}
	ek.policy, err = c.saltedSession(p.Handle, p.public, tpm2.TPMSEPolicy)
	return ek, err
}

// loadEK returns the handle of an endorsement key.
func (c *conn) loadEK(found *foundEK) (tpm2.TPMHandle, error) {
	if found.persistent == 0 {
		if h, ok := c.t.cache.find(found.ek.name.Buffer); ok {
			c.used = append(c.used, h)
			return h, nil
		}
	}
	h := found.persistent
	var raw []byte
	if h == 0 {
		t, _ := ekOf(found.ek.area)
		again, made, err := c.createEK(t, found.creation)
		if err != nil {
			return 0, fmt.Errorf("tpm: endorsement key: %w", err)
		}
		h, raw = made, again.ek.area.raw
	} else if response, err := run(c, tpm2.ReadPublic{ObjectHandle: h}); err != nil {
		return 0, fmt.Errorf("tpm: endorsement key: %w", err)
	} else {
		raw = response.OutPublic.Bytes()
	}
	if !bytes.Equal(raw, found.ek.area.raw) {
		return 0, errors.New("tpm: endorsement key: it is another one than in the evidence; was the firmware " +
			"changed? Start again, and tell whoever keeps a list of endorsement keys")
	}
	if found.persistent == 0 {
		c.keepEK(found, h)
	}
	return h, nil
}

// authorizeEK returns what authorizes one use of an endorsement key. Its policy wants the endorsement hierarchy's
// authorization value, of which only an HMAC travels (part 3, 23.4).
func (c *conn) authorizeEK(ek *loadedEK) (tpm2.AuthHandle, error) {
	h := tpm2.AuthHandle{Handle: ek.Handle, Name: ek.Name, Auth: tpm2.PasswordAuth(nil)}
	if ek.policy == nil {
		return h, nil
	}
	s, err := c.authorize(c.t.auth.endorsement(), neither)
	if err != nil {
		return h, err
	}
	_, err = run(c, tpm2.PolicySecret{
		AuthHandle: endorsement(s), PolicySession: ek.policy.handle,
	})
	h.Auth = authorization{session: ek.policy}
	return h, err
}

// activate is TPM2_ActivateCredential (part 3, 12.5).
func (c *conn) activate(ek *loadedEK, k *key, wanted *credential, what string) ([]byte, error) {
	c.used = []tpm2.TPMHandle{ek.Handle} // the key before may make room for this one
	var response *tpm2.ActivateCredentialResponse
	err := c.with(k, both, func(h tpm2.AuthHandle) error {
		by, err := c.authorizeEK(ek)
		if err != nil {
			return err
		}
		response, err = run(c, tpm2.ActivateCredential{
			ActivateHandle: h, KeyHandle: by,
			CredentialBlob: tpm2.TPM2BIDObject{Buffer: wanted.Credential[2:]},
			Secret:         tpm2.TPM2BEncryptedSecret{Buffer: wanted.Secret[2:]},
		})
		return err
	})
	if notOurs(err) {
		return nil, refuse(EvidenceActivation, "the credential for the %s key is not for this TPM and this key", what)
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: activation of the %s key: %w", what, err)
	}
	if len(response.CertInfo.Buffer) != secretSize {
		return nil, refuse(EvidenceMalformed, "the credential for the %s key does not hold %d bytes", what, secretSize)
	}
	return response.CertInfo.Buffer, nil
}

// notOurs is true for the codes of a credential that cannot be opened (part 3, 12.5.3): it is for another key, or
// another TPM, or no credential at all. swtpm says TPM_RC_FAILURE of a seed that is encrypted to another RSA key, and
// goes on; a TPM that has really failed would have said so to the command before.
func notOurs(err error) bool {
	var refusal *CommandError
	if !errors.As(err, &refusal) || refusal.Command != "ActivateCredential" {
		return false
	}
	code := refusal.rc()
	for _, no := range []tpm2.TPMRC{
		tpm2.TPMRCIntegrity, tpm2.TPMRCECCPoint, tpm2.TPMRCInsufficient, tpm2.TPMRCSize, tpm2.TPMRCValue,
		tpm2.TPMRCNoResult, tpm2.TPMRCFailure,
	} {
		if code.Is(no) {
			return true
		}
	}
	return false
}
