package tpm

import (
	"encoding/hex"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
)

// ekTemplate is a template of the TCG by which endorsement keys are made, and where a TPM keeps what belongs to them
// (TCG EK Credential Profile for TPM Family 2.0, version 2.5, 2.2.1.4, 2.2.1.5 and annex B; the persistent handles
// from the TCG TPM v2.0 Provisioning Guidance, 7.8).
type ekTemplate struct {
	name        string
	area        keyArea        // all but the key itself
	persistent  tpm2.TPMHandle // where a manufacturer may have put the key
	certificate tpm2.TPMHandle // NV indexes
	nonce       tpm2.TPMHandle // low range only, else 0
	template    tpm2.TPMHandle // low range only, else 0
}

// The policies of endorsement keys, in hexadecimal.
const (
	policyA       = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa" // PolicySecret(TPM_RH_ENDORSEMENT)
	policyBSHA256 = "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0" // policy A, or one of an NV index
	policyBSHA384 = "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba096996461" +
		"50f9fc000f3f80e12"
)

// Attributes of endorsement keys: of the low range, whose policy is the only way, and of the high range.
const (
	ekAttributesLow = bitFixedTPM | bitFixedParent | bitSensitiveDataOrigin | bitAdminWithPolicy | bitRestricted |
		bitDecrypt

	ekAttributesHigh = ekAttributesLow | bitUserWithAuth
)

// ekTemplates returns the templates that are known: L-1 and L-2, H-1 to H-3, H-6.
func ekTemplates() []ekTemplate {
	low, high, high384 := unhex(policyA), unhex(policyBSHA256), unhex(policyBSHA384)
	rsa2048 := keyDetails{rsaBits: 2048, symmetricBits: 128}
	return []ekTemplate{
		{
			name: "L-2", area: ecEK(tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, ekAttributesLow, low, 128),
			persistent: 0x81010002, certificate: 0x01c0000a, nonce: 0x01c0000b, template: 0x01c0000c,
		},
		{
			name: "L-1", area: rsaEK(rsa2048, tpm2.TPMAlgSHA256, ekAttributesLow, low),
			persistent: 0x81010001, certificate: 0x01c00002, nonce: 0x01c00003, template: 0x01c00004,
		},
		{
			name: "H-2", area: ecEK(tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256, ekAttributesHigh, high, 128),
			persistent: 0x81010014, certificate: 0x01c00014,
		},
		{
			name: "H-3", area: ecEK(tpm2.TPMECCNistP384, tpm2.TPMAlgSHA384, ekAttributesHigh, high384, 256),
			persistent: 0x81010016, certificate: 0x01c00016,
		},
		{
			name: "H-1", area: rsaEK(rsa2048, tpm2.TPMAlgSHA256, ekAttributesHigh, high),
			persistent: 0x81010012, certificate: 0x01c00012,
		},
		{
			name:       "H-6",
			area:       rsaEK(keyDetails{rsaBits: 3072, symmetricBits: 256}, tpm2.TPMAlgSHA384, ekAttributesHigh, high384),
			persistent: 0x8101001c, certificate: 0x01c0001c,
		},
	}
}

func ecEK(curve tpm2.TPMECCCurve, nameAlg tpm2.TPMAlgID, attributes uint32, policy []byte, aes uint16) keyArea {
	return keyArea{
		kind: tpm2.TPMAlgECC, nameAlg: nameAlg, attributes: attributes, policy: policy,
		details: keyDetails{
			symmetric: tpm2.TPMAlgAES, symmetricBits: aes, mode: tpm2.TPMAlgCFB,
			scheme: tpm2.TPMAlgNull, kdf: tpm2.TPMAlgNull, curve: curve,
		},
	}
}

func rsaEK(d keyDetails, nameAlg tpm2.TPMAlgID, attributes uint32, policy []byte) keyArea {
	d.symmetric, d.mode, d.scheme = tpm2.TPMAlgAES, tpm2.TPMAlgCFB, tpm2.TPMAlgNull
	return keyArea{kind: tpm2.TPMAlgRSA, nameAlg: nameAlg, attributes: attributes, policy: policy, details: d}
}

// unhex decodes a constant.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("tpm: internal error: " + err.Error())
	}
	return b
}

// marshal writes the area as TPMT_PUBLIC, with n, or x and y, for the key itself.
func (p *keyArea) marshal() []byte {
	var b cryptobyte.Builder
	sized := func(content []byte) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(content) })
	}
	b.AddUint16(uint16(p.kind))
	b.AddUint16(uint16(p.nameAlg))
	b.AddUint32(p.attributes)
	sized(p.policy)
	d := p.details
	b.AddUint16(uint16(d.symmetric))
	if d.symmetric != tpm2.TPMAlgNull {
		b.AddUint16(d.symmetricBits)
		b.AddUint16(uint16(d.mode))
	}
	b.AddUint16(uint16(d.scheme))
	if d.scheme != tpm2.TPMAlgNull {
		b.AddUint16(uint16(d.schemeHash))
	}
	if p.kind == tpm2.TPMAlgRSA {
		b.AddUint16(d.rsaBits)
		b.AddUint32(d.exponent)
		sized(p.n)
	} else {
		b.AddUint16(uint16(d.curve))
		b.AddUint16(uint16(d.kdf))
		sized(p.x)
		sized(p.y)
	}
	return b.BytesOrPanic()
}

// creation returns the public area from which the TPM makes the key. The low range fills the place of the key with
// zeros, after a nonce if the manufacturer has stored one; the high range leaves it empty.
func (t *ekTemplate) creation(nonce []byte) []byte {
	area := t.area
	switch {
	case t.nonce == 0:
	case area.kind == tpm2.TPMAlgRSA:
		area.n = padded(nonce, int(area.details.rsaBits)/8)
	default:
		area.x, area.y = padded(nonce, 32), padded(nil, 32)
	}
	return area.marshal()
}

// padded is b with zeros after it; what is too long is left out, so that the key is another one and noticed.
func padded(b []byte, size int) []byte {
	out := make([]byte, size)
	copy(out, b)
	return out
}

// ekOf finds the template that an area is by.
func ekOf(area *keyArea) (*ekTemplate, bool) {
	for _, t := range ekTemplates() {
		if area.sameTemplate(&t.area) {
			return &t, true
		}
	}
	return nil, false
}
