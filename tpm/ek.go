package tpm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// EndorsementKey is the key by which a TPM is known.
type EndorsementKey struct {
	// Public is an *rsa.PublicKey or an *ecdh.PublicKey.
	Public crypto.PublicKey
	// Hash is the SHA-256 of its SubjectPublicKeyInfo, for [VerifierOptions.EKHashes].
	Hash [32]byte
	// Template is the TCG's name of the template that it is made by: L-1, L-2, H-1, H-2, H-3 or H-6.
	Template string
	// Certificate is its certificate in DER, nil if the TPM holds none of this key.
	Certificate []byte
	// Note says in a line what is not as it should be, such as a certificate of another key. Empty: nothing.
	Note string
}

// EndorsementKey returns the endorsement key that evidence is about: the first with a certificate in the TPM, else
// the first that a persistent handle holds, else the ECC key of the template L-2, or the RSA key of L-1 if the TPM
// knows no ECC. Nothing in it is secret, and nothing proved.
func (t *TPM) EndorsementKey(ctx context.Context) (EndorsementKey, error) {
	found, err := t.findEK(ctx)
	if err != nil {
		return EndorsementKey{}, err
	}
	return EndorsementKey{
		Public: found.ek.key, Hash: found.ek.hash(), Template: found.template,
		Certificate: bytes.Clone(found.certificate), Note: found.note,
	}, nil
}

// foundEK is an endorsement key and how it comes into the TPM again.
type foundEK struct {
	ek            *endorsementKey
	template      string
	persistent    tpm2.TPMHandle // 0: it is made, of
	creation      []byte
	certificate   []byte
	intermediates [][]byte
	note          string
}

// Where a TPM keeps the certificates of the CAs above its endorsement keys (TCG EK Credential Profile, 2.2.1.5.2).
const (
	firstChainIndex = 0x01c00100
	lastChainIndex  = 0x01c001ff
)

func (t *TPM) findEK(ctx context.Context) (*foundEK, error) {
	var found *foundEK
	err := t.use(ctx, func(c *conn) (err error) {
		found, err = c.findEK()
		return err
	})
	return found, err
}

func (c *conn) findEK() (*foundEK, error) {
	note := ""
	for _, t := range ekTemplates() {
		data, err := c.readIndex(t.certificate)
		if err != nil {
			return nil, err
		}
		der := certificateIn(data)
		if der == nil {
			continue
		}
		found, err := c.certifiedEK(&t, der)
		if err != nil {
			return nil, err
		}
		if found != nil {
			found.intermediates, err = c.chainInNV()
			return found, err
		}
		note = fmt.Sprintf("the TPM holds at %#x a certificate that is not of its endorsement key by the template %s, "+
			"or that cannot be read", uint32(t.certificate), t.name)
	}
	found, err := c.plainEK()
	if err != nil {
		return nil, err
	}
	found.note = note
	return found, nil
}

// certificateIn returns the certificate at the beginning of an NV index, which is often larger.
func certificateIn(data []byte) []byte {
	s := cryptobyte.String(data)
	var der cryptobyte.String
	if !s.ReadASN1Element(&der, cbasn1.SEQUENCE) || len(der) > maxCertificate {
		return nil
	}
	return der
}

// certifiedEK looks for the key that a certificate is of, in all ways in which a manufacturer may have made it: what
// is at the persistent handle, of a template or a nonce of the manufacturer's, of the TCG's template. nil: it is none
// of them.
func (c *conn) certifiedEK(t *ekTemplate, der []byte) (*foundEK, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil
	}
	found, err := c.persistentEK(t)
	if err != nil {
		return nil, err
	}
	if found == nil || !certifies(cert, found.ek) {
		if found, err = c.createdEK(t, cert); err != nil || found == nil {
			return nil, err
		}
	}
	found.certificate = der
	return found, nil
}

func (c *conn) createdEK(t *ekTemplate, cert *x509.Certificate) (*foundEK, error) {
	creations, err := c.creations(t)
	if err != nil {
		return nil, err
	}
	for _, creation := range creations {
		found, h, err := c.createEK(t, creation)
		if errors.Is(err, ErrAuth) {
			return nil, err // with the right value this would be the key; another one is not to be shown in its place
		}
		if err != nil {
			if err = unlessRefused(err); err != nil {
				return nil, err
			}
			continue
		}
		if certifies(cert, found.ek) {
			c.keepEK(found, h)
			return found, nil
		}
		if err := c.flush(h); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// creations are the public areas from which a manufacturer may have made a key, likelier ones first.
func (c *conn) creations(t *ekTemplate) ([][]byte, error) {
	var all [][]byte
	if t.template != 0 {
		stored, err := c.readIndex(t.template)
		if err != nil {
			return nil, err
		}
		if area, err := parseKeyArea(stored); err == nil && area.sameTemplate(&t.area) {
			all = append(all, stored)
		}
		nonce, err := c.readIndex(t.nonce)
		if err != nil {
			return nil, err
		}
		if len(nonce) > 0 {
			all = append(all, t.creation(nonce))
		}
	}
	return append(all, t.creation(nil)), nil
}

// plainEK returns an endorsement key without a certificate.
func (c *conn) plainEK() (*foundEK, error) {
	for _, t := range ekTemplates() {
		if found, err := c.persistentEK(&t); err != nil || found != nil {
			return found, err
		}
	}
	var refusals []error
	for _, t := range ekTemplates()[:2] {
		found, h, err := c.createEK(&t, t.creation(nil))
		if err == nil {
			c.keepEK(found, h)
			return found, nil
		}
		if unlessRefused(err) != nil {
			return nil, err
		}
		refusals = append(refusals, err)
	}
	return nil, fmt.Errorf("tpm: endorsement key: the TPM makes none (Options.EndorsementAuth?): %w",
		errors.Join(refusals...))
}

// persistentEK reads the key at the template's persistent handle, nil if it is none by the template.
func (c *conn) persistentEK(t *ekTemplate) (*foundEK, error) {
	response, err := run(c, tpm2.ReadPublic{ObjectHandle: t.persistent})
	if err != nil {
		return nil, unlessRefused(err)
	}
	found, err := foundIn(t, &response.OutPublic)
	if err != nil {
		return nil, nil //nolint:nilerr // another key than one by the template
	}
	found.persistent = t.persistent
	return found, nil
}

// createEK makes an endorsement key, which is always the same, of the endorsement hierarchy's seed.
func (c *conn) createEK(t *ekTemplate, creation []byte) (*foundEK, tpm2.TPMHandle, error) {
	s, err := c.authorize(c.t.auth.endorsement(), neither)
	if err != nil {
		return nil, 0, err
	}
	response, err := run(c, tpm2.CreatePrimary{
		PrimaryHandle: endorsement(s), InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](creation),
	})
	if err != nil {
		return nil, 0, err
	}
	found, err := foundIn(t, &response.OutPublic)
	if err != nil {
		return nil, 0, c.malformed(errors.New("the endorsement key that was made is not what was asked for"))
	}
	found.creation = creation
	return found, response.ObjectHandle, nil
}

// keepEK keeps an endorsement key loaded like the keys of files: an activation often follows, for which a slow TPM would have
// to make an RSA key again, longer than whoever waits for it has patience.
func (c *conn) keepEK(found *foundEK, h tpm2.TPMHandle) {
	c.keep(loadedKey{handle: h, name: found.ek.name.Buffer})
}

// endorsement is the endorsement hierarchy with what authorizes one command on it.
func endorsement(auth tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Name: tpm2.HandleName(tpm2.TPMRHEndorsement), Auth: auth}
}

func foundIn(t *ekTemplate, public *tpm2.TPM2BPublic) (*foundEK, error) {
	ek, err := parseEndorsementKey(public.Bytes())
	if err != nil {
		return nil, err
	}
	if !ek.area.sameTemplate(&t.area) {
		return nil, errKeyArea
	}
	return &foundEK{ek: ek, template: t.name}, nil
}

// chainInNV reads the certificates of CAs, one after the other over all indexes. Roots are left out: who verifies has
// them.
func (c *conn) chainInNV() ([][]byte, error) {
	var all []byte
	for _, h := range c.loadedHandles(firstChainIndex) {
		if h < firstChainIndex || h > lastChainIndex {
			break
		}
		data, err := c.readIndex(h)
		if err != nil {
			return nil, err
		}
		if all = append(all, data...); len(all) > maxIndex {
			return nil, nil
		}
	}
	var chain [][]byte
	s := cryptobyte.String(all)
	var der cryptobyte.String
	for len(chain) < maxIntermediates && s.ReadASN1Element(&der, cbasn1.SEQUENCE) {
		ca, err := x509.ParseCertificate(der)
		if err == nil && ca.IsCA && len(der) <= maxCertificate && !bytes.Equal(ca.RawIssuer, ca.RawSubject) {
			chain = append(chain, slices.Clone(der))
		}
	}
	return chain, nil
}
