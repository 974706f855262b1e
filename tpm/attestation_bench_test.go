package tpm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// BenchmarkVerifier checks evidence and encrypts to an endorsement key, as a gateway does once for each registration.
func BenchmarkVerifier(b *testing.B) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		b.Run(name, func(b *testing.B) {
			m := tpmtest.NewManufacturer(b)
			s, v := newSoftwareTPM(b, ek, m), trusting(m)
			evidence, identity, decryption := s.evidence(), s.identityKey(), s.decryptionKey()
			b.ReportAllocs()
			for b.Loop() {
				_, _, err := v.Challenge(b.Context(), "acme", evidence, identity, decryption)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkActivate has the TPM open credentials for both keys, as a connector does once for each registration.
func BenchmarkActivate(b *testing.B) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		b.Run(name, func(b *testing.B) {
			device := tpmtest.Start(b, &tpmtest.Options{EKs: []tpmtest.EK{ek}})
			p := newParty(b, open(b, device, nil))
			credentials, _ := p.challenge(b, tpm.NewVerifier(tpm.VerifierOptions{}))
			b.ReportAllocs()
			for b.Loop() {
				_, err := p.attester.Activate(b.Context(), credentials)
				require.NoError(b, err)
			}
		})
	}
}
