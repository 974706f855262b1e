package tpm_test

import (
	"bytes"
	"crypto"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// setIndex writes an NV index as a manufacturer does. Everybody may read it.
func setIndex(t testing.TB, tp transport.TPM, index tpm2.TPMHandle, data []byte) {
	t.Helper()
	setIndexFor(t, tp, index, data, true, true)
}

func setIndexFor(t testing.TB, tp transport.TPM, index tpm2.TPMHandle, data []byte, everybody, owner bool) {
	t.Helper()
	area := tpm2.TPMSNVPublic{
		NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, DataSize: uint16(len(data)),
		Attributes: tpm2.TPMANV{
			PPWrite: true, PPRead: true, OwnerRead: owner, AuthRead: everybody, NoDA: true, PlatformCreate: true, NT: tpm2.TPMNTOrdinary,
		},
	}
	_, err := tpm2.NVDefineSpace{AuthHandle: tpm2.TPMRHPlatform, PublicInfo: tpm2.New2B(area)}.Execute(tp)
	require.NoError(t, err)
	for from := 0; from < len(data); from += 512 {
		read, err := tpm2.NVReadPublic{NVIndex: index}.Execute(tp)
		require.NoError(t, err)
		_, err = tpm2.NVWrite{
			AuthHandle: tpm2.TPMRHPlatform, NVIndex: tpm2.NamedHandle{Handle: index, Name: read.NVName},
			Data: tpm2.TPM2BMaxNVBuffer{Buffer: data[from:min(from+512, len(data))]}, Offset: uint16(from),
		}.Execute(tp)
		require.NoError(t, err)
	}
}

// makeEK makes an endorsement key and leaves it at a persistent handle, unless that is 0.
func makeEK(t testing.TB, tp transport.TPM, template tpm2.TPMTPublic, persistent tpm2.TPMHandle) crypto.PublicKey {
	t.Helper()
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(template)}.Execute(tp)
	require.NoError(t, err)
	if persistent != 0 {
		_, err = tpm2.EvictControl{
			Auth: tpm2.TPMRHOwner, ObjectHandle: &tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name}, PersistentHandle: persistent,
		}.Execute(tp)
		require.NoError(t, err)
	}
	_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(tp)
	require.NoError(t, err)
	area, err := made.OutPublic.Contents()
	require.NoError(t, err)
	key, err := tpm2.Pub(*area)
	require.NoError(t, err)
	return key
}

func unique(template tpm2.TPMTPublic, x []byte) tpm2.TPMTPublic {
	if template.Type == tpm2.TPMAlgRSA {
		template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: x})
		return template
	}
	point := &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: x}}
	if len(x) > 0 {
		point.Y.Buffer = make([]byte, 32)
	}
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, point)
	return template
}

// high is a template of the high range (TCG EK Credential Profile, B.4): with SHA-384 and what is as strong for P-384.
func high(kind tpm2.TPMAlgID, curve tpm2.TPMECCCurve) tpm2.TPMTPublic {
	policyB := []byte("\xca\x3d\x0a\x99\xa2\xb9\x39\x06\xf7\xa3\x34\x24\x14\xef\xcf\xb3\xa3\x85\xd4\x4c\xd1\xfd\x45\x90" +
		"\x89\xd1\x9b\x50\x71\xc0\xb7\xa0")
	template := tpm2.ECCEKTemplate
	if kind == tpm2.TPMAlgRSA {
		template = tpm2.RSAEKTemplate
	}
	template.ObjectAttributes.UserWithAuth = true
	template.AuthPolicy.Buffer = policyB
	if curve == tpm2.TPMECCNistP384 {
		template.NameAlg = tpm2.TPMAlgSHA384
		template.AuthPolicy.Buffer = []byte("\xb2\x6e\x7d\x28\xd1\x1a\x50\xbc\x53\xd8\x82\xbc\xf5\xfd\x3a\x1a\x07\x41\x48\xbb" +
			"\x35\xd3\xb4\xe4\xcb\x1c\x0a\xd9\xbd\xe4\x19\xca\xcb\x47\xba\x09\x69\x96\x46\x15\x0f\x9f\xc0\x00\xf3\xf8\x0e\x12")
		aes256 := tpm2.TPMTSymDefObject{
			Algorithm: tpm2.TPMAlgAES, KeyBits: tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(256)),
			Mode: tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		}
		template.Parameters = tpm2.NewTPMUPublicParms(kind, &tpm2.TPMSECCParms{Symmetric: aes256, CurveID: curve})
		if kind == tpm2.TPMAlgRSA {
			template.Parameters = tpm2.NewTPMUPublicParms(kind, &tpm2.TPMSRSAParms{Symmetric: aes256, KeyBits: 3072})
		}
	}
	return unique(template, nil)
}

// Manufacturers make endorsement keys, and put them and their certificates, in several ways.
func TestEndorsementKeysAsManufacturersMakeThem(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	issue := func(key crypto.PublicKey) []byte { return m.Issue(key, time.Now().Add(time.Hour)) }
	nonce := bytes.Repeat([]byte{0x5a}, 20)
	for name, c := range map[string]struct {
		make     func(t *testing.T, tp transport.TPM)
		template string
		created  int // endorsement keys made for an activation
	}{
		"ECC, persistent": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0x81010002)))
		}, "L-2", 0},
		"RSA, persistent": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c00002, issue(makeEK(t, tp, tpm2.RSAEKTemplate, 0x81010001)))
		}, "L-1", 0},
		"another key at the persistent handle": {func(t *testing.T, tp transport.TPM) {
			makeEK(t, tp, unique(tpm2.ECCEKTemplate, bytes.Repeat([]byte{1}, 32)), 0x81010002)
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0)))
		}, "L-2", 1},
		"no endorsement key at the persistent handle": {func(t *testing.T, tp transport.TPM) {
			template := tpm2.ECCSRKTemplate
			makeEK(t, tp, template, 0x81010002)
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0)))
		}, "L-2", 1},
		"ECC with a nonce": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c0000b, nonce)
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, unique(tpm2.ECCEKTemplate, append(bytes.Clone(nonce), make([]byte, 12)...)), 0)))
		}, "L-2", 1},
		"RSA with a nonce": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c00003, nonce)
			setIndex(t, tp, 0x01c00002, issue(makeEK(t, tp, unique(tpm2.RSAEKTemplate, append(bytes.Clone(nonce), make([]byte, 236)...)), 0)))
		}, "L-1", 1},
		"ECC with a template": {func(t *testing.T, tp transport.TPM) {
			template := unique(tpm2.ECCEKTemplate, bytes.Repeat([]byte{7}, 32))
			setIndex(t, tp, 0x01c0000c, tpm2.Marshal(template))
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, template, 0)))
		}, "L-2", 1},
		"a template and a nonce of other keys": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c0000b, nonce)
			setIndex(t, tp, 0x01c0000c, tpm2.Marshal(unique(tpm2.ECCEKTemplate, bytes.Repeat([]byte{7}, 32))))
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0)))
		}, "L-2", 1},
		"a template that is none": {func(t *testing.T, tp transport.TPM) {
			template := tpm2.ECCEKTemplate
			template.ObjectAttributes.SignEncrypt, template.ObjectAttributes.Restricted = true, false
			setIndex(t, tp, 0x01c0000c, tpm2.Marshal(template))
			setIndex(t, tp, 0x01c0000a, issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0)))
		}, "L-2", 1},
		"a padded certificate": {func(t *testing.T, tp transport.TPM) {
			der := issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0))
			setIndex(t, tp, 0x01c0000a, append(der, bytes.Repeat([]byte{0xff}, 2000-len(der))...))
		}, "L-2", 1},
		"no certificate in the index of the other": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c0000a, []byte("\x30\x82\xff\xffthis is no certificate"))
			setIndex(t, tp, 0x01c00002, issue(makeEK(t, tp, tpm2.RSAEKTemplate, 0)))
		}, "L-1", 1},
		"H-1": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c00012, issue(makeEK(t, tp, high(tpm2.TPMAlgRSA, 0), 0)))
		}, "H-1", 1},
		"H-2": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c00014, issue(makeEK(t, tp, high(tpm2.TPMAlgECC, 0), 0)))
		}, "H-2", 1},
		"H-6, persistent": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c0001c, issue(makeEK(t, tp, high(tpm2.TPMAlgRSA, tpm2.TPMECCNistP384), 0x8101001c)))
		}, "H-6", 0},
		"H-3, persistent": {func(t *testing.T, tp transport.TPM) {
			setIndex(t, tp, 0x01c00016, issue(makeEK(t, tp, high(tpm2.TPMAlgECC, tpm2.TPMECCNistP384), 0x81010016)))
		}, "H-3", 0},
	} {
		t.Run(name, func(t *testing.T) {
			device := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
			device.Do(func(tp transport.TPM) { c.make(t, tp) })
			wire := &recorder{TPMCloser: device.Transport()}
			opened, err := tpm.New(wire, nil)
			require.NoError(t, err)
			defer opened.Close()
			p := newParty(t, opened)
			p.evidence(t)
			p.use(t) // so that the endorsement key does not stay loaded
			wire.reset()
			level, detail := p.attest(t, trusting(m))
			assert.Equal(t, tpm.LevelVerified, level, detail)
			assert.Equal(t, c.created, wire.endorsementKeys())
			ek, err := opened.EndorsementKey(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.template, ek.Template)
			assert.Empty(t, ek.Note)
			assert.NotEmpty(t, ek.Certificate)
		})
	}
}

func TestPersistentEndorsementKeyWithoutACertificate(t *testing.T) {
	device := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	device.Do(func(tp transport.TPM) { makeEK(t, tp, tpm2.RSAEKTemplate, 0x81010001) })
	opened := open(t, device, nil)
	ek, err := opened.EndorsementKey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "L-1", ek.Template)
	assert.Nil(t, ek.Certificate)
	level, _ := newParty(t, opened).attest(t, tpm.NewVerifier(tpm.VerifierOptions{EKHashes: [][32]byte{ek.Hash}}))
	assert.Equal(t, tpm.LevelVerified, level)
}

// A certificate that not everybody may read is read by the owner, one that the platform alone may read is none.
func TestWhoReadsTheCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		everybody, owner bool
		want             string
	}{
		"everybody":    {true, false, tpm.LevelVerified},
		"the owner":    {false, true, tpm.LevelVerified},
		"the platform": {false, false, tpm.LevelUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			device := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
			auth := []byte("owner-auth-value-not-in-the-clear")[:32]
			device.Do(func(tp transport.TPM) {
				der := device.Manufacturer().Issue(makeEK(t, tp, tpm2.ECCEKTemplate, 0), time.Now().Add(time.Hour))
				setIndexFor(t, tp, 0x01c0000a, der, c.everybody, c.owner)
				_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHOwner, NewAuth: tpm2.TPM2BAuth{Buffer: auth}}.Execute(tp)
				require.NoError(t, err)
			})
			wire := &recorder{TPMCloser: device.Transport()}
			opened, err := tpm.New(wire, &tpm.Options{OwnerAuth: auth})
			require.NoError(t, err)
			defer opened.Close()
			level, detail := newParty(t, opened).attest(t, trusting(device.Manufacturer()))
			assert.Equal(t, c.want, level, detail)
			assert.False(t, wire.holds(auth))
		})
	}
}

// Certificates of CAs in the TPM spare the verifier from having them.
func TestChainInTheTPM(t *testing.T) {
	device := tpmtest.Start(t, nil)
	m := device.Manufacturer()
	device.Do(func(tp transport.TPM) {
		chain := append(bytes.Clone(m.Intermediate().Raw), m.Root().Raw...)
		setIndex(t, tp, 0x01c00100, chain[:700])
		setIndex(t, tp, 0x01c00101, chain[700:])
		setIndex(t, tp, 0x01c00200, []byte("something else"))
	})
	p := newParty(t, open(t, device, nil))
	level, detail := p.attest(t, tpm.NewVerifier(tpm.VerifierOptions{Roots: m.Roots()}))
	assert.Equal(t, tpm.LevelVerified, level, detail)
	assert.Equal(t, [][]byte{m.Intermediate().Raw}, p.said(t).EK.Intermediates, "roots are of no use to a verifier")
}

// Many indexes that the owner alone may read take one session, not one each: a TPM has three.
func TestChainForTheOwner(t *testing.T) {
	device := tpmtest.Start(t, nil)
	m, auth := device.Manufacturer(), []byte("owner")
	chain := m.Intermediate().Raw
	device.Do(func(tp transport.TPM) {
		for i := range 6 {
			part := chain[i*len(chain)/6 : (i+1)*len(chain)/6]
			setIndexFor(t, tp, 0x01c00100+tpm2.TPMHandle(i), part, false, true)
		}
		_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHOwner, NewAuth: tpm2.TPM2BAuth{Buffer: auth}}.Execute(tp)
		require.NoError(t, err)
	})
	p := newParty(t, open(t, device, &tpm.Options{OwnerAuth: auth}))
	level, detail := p.attest(t, tpm.NewVerifier(tpm.VerifierOptions{Roots: m.Roots()}))
	assert.Equal(t, tpm.LevelVerified, level, detail)
}

// What somebody else keeps where certificates of CAs may be is not asked for with a guess that counts.
func TestNoGuessesForTheChain(t *testing.T) {
	device := tpmtest.Start(t, nil)
	const index = tpm2.TPMHandle(0x01c00110)
	lockouts := func(tp transport.TPM) uint32 {
		got, err := tpm2.GetCapability{
			Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1,
		}.Execute(tp)
		require.NoError(t, err)
		list, err := got.CapabilityData.Data.TPMProperties()
		require.NoError(t, err)
		return list.TPMProperty[0].Value
	}
	device.Do(func(tp transport.TPM) {
		area := tpm2.TPMSNVPublic{
			NVIndex: index, NameAlg: tpm2.TPMAlgSHA256, DataSize: 8,
			Attributes: tpm2.TPMANV{OwnerWrite: true, AuthRead: true, NT: tpm2.TPMNTOrdinary},
		}
		_, err := tpm2.NVDefineSpace{
			AuthHandle: tpm2.TPMRHOwner, Auth: tpm2.TPM2BAuth{Buffer: []byte("value")}, PublicInfo: tpm2.New2B(area),
		}.Execute(tp)
		require.NoError(t, err)
		read, err := tpm2.NVReadPublic{NVIndex: index}.Execute(tp)
		require.NoError(t, err)
		_, err = tpm2.NVWrite{
			AuthHandle: tpm2.TPMRHOwner, NVIndex: tpm2.NamedHandle{Handle: index, Name: read.NVName},
			Data: tpm2.TPM2BMaxNVBuffer{Buffer: []byte("a secret")},
		}.Execute(tp)
		require.NoError(t, err)
	})
	opened := open(t, device, nil)
	ek, err := opened.EndorsementKey(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, ek.Certificate)
	require.NoError(t, opened.Close())
	device.Do(func(tp transport.TPM) { assert.Zero(t, lockouts(tp)) })
}

// The firmware has changed the endorsement key behind the back of a running program.
func TestEndorsementKeyThatChanges(t *testing.T) {
	device := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	p := newParty(t, open(t, device, nil))
	credentials, _ := p.challenge(t, tpm.NewVerifier(tpm.VerifierOptions{}))
	device.PowerLoss()
	device.Do(func(tp transport.TPM) {
		// TPM2_ChangeEPS by the platform with an empty password.
		answer, err := tp.Send([]byte("\x80\x02\x00\x00\x00\x1b\x00\x00\x01\x24\x40\x00\x00\x0c" +
			"\x00\x00\x00\x09\x40\x00\x00\x09\x00\x00\x00\x00\x00"))
		require.NoError(t, err)
		require.Equal(t, make([]byte, 4), answer[6:10], "return code")
	})
	_, err := p.attester.Activate(t.Context(), credentials)
	require.ErrorContains(t, err, "firmware")
	assert.NotErrorIs(t, err, tpm.EvidenceActivation)
}
