package tpmtest_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// handles lists the handles of a kind that the TPM holds: transient, persistent, NV.
func handles(t *testing.T, tpm transport.TPM, kind tpm2.TPMHT) []tpm2.TPMHandle {
	t.Helper()
	got, err := tpm2.GetCapability{
		Capability: tpm2.TPMCapHandles, Property: uint32(kind) << 24, PropertyCount: 100,
	}.Execute(tpm)
	require.NoError(t, err)
	list, err := got.CapabilityData.Data.Handles()
	require.NoError(t, err)
	return list.Handle
}

func storageKey(t *testing.T, tpm transport.TPM) *tpm2.CreatePrimaryResponse {
	t.Helper()
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(tpm)
	require.NoError(t, err)
	return made
}

func readIndex(t *testing.T, tpm transport.TPM, index tpm2.TPMHandle) []byte {
	t.Helper()
	public, err := tpm2.NVReadPublic{NVIndex: index}.Execute(tpm)
	require.NoError(t, err)
	area, err := public.NVPublic.Contents()
	require.NoError(t, err)
	assert.True(t, area.Attributes.WriteLocked)
	assert.True(t, area.Attributes.PlatformCreate)
	var data []byte
	for len(data) < int(area.DataSize) {
		handle := tpm2.NamedHandle{Handle: index, Name: public.NVName}
		part, err := tpm2.NVRead{
			AuthHandle: tpm2.AuthHandle{Handle: index, Name: public.NVName, Auth: tpm2.PasswordAuth(nil)}, NVIndex: handle,
			Size: min(512, area.DataSize-uint16(len(data))), Offset: uint16(len(data)),
		}.Execute(tpm)
		require.NoError(t, err)
		data = append(data, part.Data.Buffer...)
	}
	return data
}

func TestRestarts(t *testing.T) {
	dev := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	var before tpm2.TPM2BName
	dev.Do(func(tpm transport.TPM) {
		before = storageKey(t, tpm).Name
		assert.Len(t, handles(t, tpm, tpm2.TPMHTTransient), 1)
		assert.Empty(t, handles(t, tpm, tpm2.TPMHTNVIndex))
	})
	for _, restart := range []func(){dev.PowerLoss, dev.Restart} {
		restart()
		dev.Do(func(tpm transport.TPM) {
			assert.Empty(t, handles(t, tpm, tpm2.TPMHTTransient))
			assert.Equal(t, before, storageKey(t, tpm).Name, "the seed of the owner stays")
		})
	}
	open := dev.Dial()
	dev.Clear()
	require.NoError(t, open.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := open.Read(make([]byte, 1))
	require.Error(t, err, "connections break")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, open.Close())
	dev.Do(func(tpm transport.TPM) {
		assert.NotEqual(t, before, storageKey(t, tpm).Name, "the seed of the owner is another")
	})
}

func TestOnlyACleanShutdownIsNoFailure(t *testing.T) {
	dev := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	counter := func() (n uint32) {
		dev.Do(func(tpm transport.TPM) {
			got, err := tpm2.GetCapability{
				Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1,
			}.Execute(tpm)
			require.NoError(t, err)
			list, err := got.CapabilityData.Data.TPMProperties()
			require.NoError(t, err)
			n = list.TPMProperty[0].Value
		})
		return n
	}
	useAuth := func() { // of an object that counts failures
		dev.Do(func(tpm transport.TPM) {
			template := tpm2.ECCSRKTemplate
			template.ObjectAttributes.NoDA = false
			secret := &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte("right")}}
			made, err := tpm2.CreatePrimary{
				PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template),
				InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: secret},
			}.Execute(tpm)
			require.NoError(t, err)
			key := tpm2.AuthHandle{Handle: made.ObjectHandle, Name: made.Name, Auth: tpm2.PasswordAuth([]byte("wrong"))}
			_, err = tpm2.Create{ParentHandle: key, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(tpm)
			require.ErrorIs(t, err, tpm2.TPMRCAuthFail)
		})
	}
	useAuth()
	assert.EqualValues(t, 1, counter())
	dev.Restart()
	assert.EqualValues(t, 1, counter())
	useAuth()
	dev.PowerLoss()
	assert.EqualValues(t, 3, counter(), "a failure, and the loss")
}

func TestCertificates(t *testing.T) {
	maker := tpmtest.NewManufacturer(t)
	for name, opts := range map[string]*tpmtest.Options{
		"valid":     {Manufacturer: maker, EKs: []tpmtest.EK{tpmtest.RSA, tpmtest.ECC}},
		"expired":   {Manufacturer: maker, EKs: []tpmtest.EK{tpmtest.ECC}, Certificate: tpmtest.Expired},
		"other key": {Manufacturer: maker, EKs: []tpmtest.EK{tpmtest.RSA}, Certificate: tpmtest.OtherKey},
	} {
		t.Run(name, func(t *testing.T) {
			dev := tpmtest.Start(t, opts)
			dev.Clear() // the manufacturer's part stays
			for _, ek := range opts.EKs {
				key := dev.EKPublic(ek)
				var cert *x509.Certificate
				dev.Do(func(tpm transport.TPM) {
					var err error
					cert, err = x509.ParseCertificate(readIndex(t, tpm, ek.Index()))
					require.NoError(t, err)
				})
				assert.Equal(t, opts.Certificate != tpmtest.OtherKey, equal(key, cert.PublicKey))
				checkProfile(t, cert)
				cert.UnhandledCriticalExtensions = nil // a directoryName, which crypto/x509 leaves to the caller
				_, err := cert.Verify(x509.VerifyOptions{
					Roots: maker.Roots(), Intermediates: maker.Intermediates(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
				})
				if opts.Certificate == tpmtest.Expired {
					require.ErrorContains(t, err, "expired")
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		b, ok := b.(*rsa.PublicKey)
		return ok && a.Equal(b)
	case *ecdsa.PublicKey:
		b, ok := b.(*ecdsa.PublicKey)
		return ok && a.Equal(b)
	}
	return false
}

// checkProfile holds a certificate to the TCG EK Credential Profile.
func checkProfile(t *testing.T, cert *x509.Certificate) {
	t.Helper()
	assert.Empty(t, cert.Subject.Names)
	assert.Equal(t, []asn1.ObjectIdentifier{{2, 5, 29, 17}}, cert.UnhandledCriticalExtensions)
	assert.Equal(t, []asn1.ObjectIdentifier{{2, 23, 133, 8, 1}}, cert.UnknownExtKeyUsage)
	assert.False(t, cert.IsCA)
	assert.True(t, cert.BasicConstraintsValid)
	usage := x509.KeyUsageKeyAgreement
	if cert.PublicKeyAlgorithm == x509.RSA {
		usage = x509.KeyUsageKeyEncipherment
	}
	assert.Equal(t, usage, cert.KeyUsage)
	assert.NotEmpty(t, cert.AuthorityKeyId)
}

func TestReplacedCertificate(t *testing.T) {
	dev := tpmtest.Start(t, nil)
	dev.SetCertificate(tpmtest.ECC, []byte(strings.Repeat("x", 1500)))
	dev.Do(func(tpm transport.TPM) {
		assert.Equal(t, strings.Repeat("x", 1500), string(readIndex(t, tpm, tpmtest.ECC.Index())))
	})
	dev.SetCertificate(tpmtest.ECC, nil)
	dev.Do(func(tpm transport.TPM) { assert.Empty(t, handles(t, tpm, tpm2.TPMHTNVIndex)) })
}

func TestTCP(t *testing.T) {
	dev := tpmtest.Start(t, &tpmtest.Options{Control: true, Certificate: tpmtest.None})
	assert.True(t, strings.HasPrefix(dev.Path(), "tcp:127.0.0.1:"), dev.Path())
	_, port, err := net.SplitHostPort(strings.TrimPrefix(dev.Path(), "tcp:"))
	require.NoError(t, err)
	assert.Equal(t, "swtpm:host=127.0.0.1,port="+port, dev.TCTI())
	for range 3 { // also right after a connection was broken, whose port the kernel still remembers
		conn := dev.Dial()
		dev.PowerLoss()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.NoError(t, conn.Close())
		_, err = tpm2.GetRandom{BytesRequested: 8}.Execute(dev.Transport())
		require.NoError(t, err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	var path string
	var held net.Conn
	t.Run("inner", func(t *testing.T) {
		dev := tpmtest.Start(t, nil)
		path = strings.TrimPrefix(dev.Path(), "unix:")
		held = dev.Dial()
		_, err := os.Stat(path)
		require.NoError(t, err)
	})
	if held == nil {
		t.Skip("the inner test says why")
	}
	require.NoError(t, held.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := held.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the process has ended")
	require.NoError(t, held.Close())
	_, err = os.Stat(filepath.Dir(path))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// stranger is a test that somebody else looks at.
type stranger struct {
	testing.TB
	skipped string
}

func (s *stranger) Skip(args ...any) {
	s.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func TestSkipsWithoutSwtpm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s, ended := &stranger{TB: t}, make(chan struct{})
	go func() {
		defer close(ended)
		tpmtest.Start(s, nil)
	}()
	<-ended
	assert.Contains(t, s.skipped, "this test needs swtpm")
}
