package tpm

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// benchmarked opens a software TPM, with the storage key persistent or not.
func benchmarked(b *testing.B, persistent bool) *TPM {
	b.Helper()
	device := tpmtest.Start(b, &tpmtest.Options{Certificate: tpmtest.None})
	if persistent {
		device.Do(func(w transport.TPM) { makeStorageKeyPersistent(b, w) })
	}
	d, err := Open(device.Path(), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, d.Close()) })
	return d
}

func makeStorageKeyPersistent(b *testing.B, w transport.TPM) {
	b.Helper()
	made, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(w)
	require.NoError(b, err)
	_, err = tpm2.EvictControl{
		Auth: tpm2.TPMRHOwner, PersistentHandle: srkHandle,
		ObjectHandle: tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
	}.Execute(w)
	require.NoError(b, err)
	_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(w)
	require.NoError(b, err)
}

// forget makes the TPM unload session and keys, as after half a minute without use.
func (t *TPM) forget() error {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.empty()
	return nil
}

func benchSigner(b *testing.B, d *TPM, a Algorithm) *Signer {
	b.Helper()
	file, err := d.NewSigner(b.Context(), a)
	require.NoError(b, err)
	s, err := d.Signer(b.Context(), file)
	require.NoError(b, err)
	return s
}

// BenchmarkSign signs with a key and a session that are loaded, and with neither: then the storage key is made of its
// seed if it is not persistent, the session is salted to it, and the key is loaded.
func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256(nil)
	run := func(b *testing.B, a Algorithm, persistent, cached bool) {
		d := benchmarked(b, persistent)
		s := benchSigner(b, d, a)
		b.ReportAllocs()
		for b.Loop() {
			if !cached {
				require.NoError(b, d.forget())
			}
			_, err := s.Sign(nil, digest[:], crypto.SHA256)
			require.NoError(b, err)
		}
	}
	b.Run("P256/cached", func(b *testing.B) { run(b, P256, true, true) })
	b.Run("P256/persistent", func(b *testing.B) { run(b, P256, true, false) })
	b.Run("P256/transient", func(b *testing.B) { run(b, P256, false, false) })
	b.Run("RSA2048/cached", func(b *testing.B) { run(b, RSA2048, true, true) })
}

// BenchmarkSignGoTPM signs with go-tpm alone, for comparison: with a password session, and with a salted session for
// each signature.
func BenchmarkSignGoTPM(b *testing.B) {
	run := func(b *testing.B, auth func(parent *tpm2.CreatePrimaryResponse) tpm2.Session) {
		w := tpmtest.Start(b, &tpmtest.Options{Certificate: tpmtest.None}).Transport()
		parent, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate),
		}.Execute(w)
		require.NoError(b, err)
		template, err := signerTemplate(P256)
		require.NoError(b, err)
		key, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute(w)
		require.NoError(b, err)
		session := auth(parent)
		hash := tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256}
		scheme := tpm2.TPMTSigScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &hash),
		}
		digest := sha256.Sum256(nil)
		b.ReportAllocs()
		for b.Loop() {
			_, err := tpm2.Sign{
				KeyHandle: tpm2.AuthHandle{Handle: key.ObjectHandle, Name: key.Name, Auth: session},
				Digest:    tpm2.TPM2BDigest{Buffer: digest[:]}, InScheme: scheme,
				Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
			}.Execute(w)
			require.NoError(b, err)
		}
	}
	b.Run("password", func(b *testing.B) {
		run(b, func(*tpm2.CreatePrimaryResponse) tpm2.Session { return tpm2.PasswordAuth(nil) })
	})
	b.Run("salted", func(b *testing.B) {
		run(b, func(parent *tpm2.CreatePrimaryResponse) tpm2.Session {
			public, err := parent.OutPublic.Contents()
			require.NoError(b, err)
			return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Salted(parent.ObjectHandle, *public),
				tpm2.AESEncryption(128, tpm2.EncryptIn))
		})
	})
}

// BenchmarkECDH agrees with a key and a session that are loaded, and with neither.
func BenchmarkECDH(b *testing.B) {
	run := func(b *testing.B, cached bool) {
		d := benchmarked(b, true)
		file, err := d.NewKeyExchanger(b.Context())
		require.NoError(b, err)
		e, err := d.KeyExchanger(b.Context(), file)
		require.NoError(b, err)
		other, err := ecdh.P256().GenerateKey(rand.Reader)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if !cached {
				require.NoError(b, d.forget())
			}
			_, err := e.ECDH(other.PublicKey())
			require.NoError(b, err)
		}
	}
	b.Run("cached", func(b *testing.B) { run(b, true) })
	b.Run("persistent", func(b *testing.B) { run(b, false) })
}

// BenchmarkLoad reads a key's file and loads the key, with the session that is loaded and without.
func BenchmarkLoad(b *testing.B) {
	run := func(b *testing.B, session bool) {
		d := benchmarked(b, true)
		file, err := d.NewSigner(b.Context(), P256)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if session {
				require.NoError(b, d.use(b.Context(), func(c *conn) error {
					c.t.cache.keys = nil
					return nil
				}))
			} else {
				require.NoError(b, d.forget())
			}
			_, err := d.Signer(b.Context(), file)
			require.NoError(b, err)
		}
	}
	b.Run("session", func(b *testing.B) { run(b, true) })
	b.Run("nothing", func(b *testing.B) { run(b, false) })
}

// BenchmarkNewSigner makes P-256 keys.
func BenchmarkNewSigner(b *testing.B) {
	d := benchmarked(b, true)
	b.ReportAllocs()
	for b.Loop() {
		_, err := d.NewSigner(b.Context(), P256)
		require.NoError(b, err)
	}
}

// BenchmarkKeyFile parses and writes a key's file, without a TPM.
func BenchmarkKeyFile(b *testing.B) {
	file := foreignKeys(b)["openssl-ec"]
	k, err := parseTSS2(file)
	require.NoError(b, err)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := parseTSS2(file)
			require.NoError(b, err)
		}
	})
	b.Run("marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			marshalTSS2(k)
		}
	})
}
