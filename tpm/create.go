package tpm

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// Algorithm is the kind of a signing key.
type Algorithm int

// The kinds of signing keys. RSA takes a slow TPM tens of seconds to make, and seconds to sign with.
const (
	P256    Algorithm = iota // ECDSA over P-256
	RSA2048                  // RSA of 2048 bits, with PKCS #1 v1.5 and PSS
)

// keyAttributes are those of all our keys, to which sign or decrypt is added.
func keyAttributes() tpm2.TPMAObject {
	return tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true}
}

// signerTemplate leaves the scheme open, since OpenSSL's provider and other hashes than SHA-256 need it so.
func signerTemplate(a Algorithm) (tpm2.TPMTPublic, error) {
	template := exchangerTemplate()
	template.ObjectAttributes.Decrypt, template.ObjectAttributes.SignEncrypt = false, true
	switch a {
	case P256:
	case RSA2048:
		template.Type = tpm2.TPMAlgRSA
		template.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, &tpm2.TPMSRSAParms{KeyBits: 2048})
		template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{})
	default:
		return template, fmt.Errorf("tpm: the algorithm %d is none of P256 and RSA2048", int(a))
	}
	return template, nil
}

func exchangerTemplate() tpm2.TPMTPublic {
	attributes := keyAttributes()
	attributes.Decrypt = true
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256}),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// create makes a key under the storage key. The authorization value travels encrypted.
func (t *TPM) create(ctx context.Context, template tpm2.TPMTPublic) (k *key, err error) {
	err = t.use(ctx, func(c *conn) error {
		p, err := c.parent()
		if err != nil {
			return err
		}
		s, err := c.authorize(nil, both)
		if err != nil {
			return err
		}
		response, err := run(c, tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: p.Handle, Name: p.Name, Auth: s},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				UserAuth: tpm2.TPM2BAuth{Buffer: t.auth.key()},
			}},
			InPublic: tpm2.New2B(template),
		})
		if err != nil {
			return err
		}
		public, name, err := publicArea(response.OutPublic)
		if err != nil || !fits(&template, public) {
			return c.malformed(errors.Join(errors.New("the key that was made is not what was asked for"), err))
		}
		k = &key{
			name: name.Buffer, public: public, private: response.OutPrivate, open: len(t.auth.key()) == 0,
			parent: p.file, rsa: p.file == tpm2.TPMRHOwner && p.rsa,
		}
		return nil
	})
	return k, err
}
