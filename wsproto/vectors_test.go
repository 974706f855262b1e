package wsproto_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

const vectorsFile = "testdata/vectors.json"

// vectors are what an independent implementation can check itself against. Binary members are hexadecimal; signatures and
// encapsulations are not deterministic and are to be verified and opened.
type vectors struct {
	Comment string `json:"comment"`

	TenantKey     string `json:"tenantKey"`     // PKCS#8
	TenantSPKI    string `json:"tenantSpki"`    // SubjectPublicKeyInfo
	IdentityKey   string `json:"identityKey"`   // PKCS#8
	DecryptionKey string `json:"decryptionKey"` // PKCS#8
	TenantPin     string `json:"tenantPin"`     // its fingerprint

	Tenant    string `json:"tenant"`
	Authority string `json:"authority"`
	Hello     string `json:"hello"`     // the exact params of session.hello
	Challenge string `json:"challenge"` // the exact JSON text

	Transcripts  map[wsproto.Context]string `json:"transcripts"`
	Challenge1   string                     `json:"challengeSignature"`
	Authenticate string                     `json:"authenticateSignature"`

	EnrollmentCode string `json:"enrollmentCode"`
	EnrollmentID   string `json:"enrollmentId"`
	EnrollmentHash string `json:"enrollmentHash"`
	EnrollmentMAC  string `json:"enrollmentMac"`

	Order       string `json:"order"`
	OrderDigest string `json:"orderDigest"`

	DeviceKey        string          `json:"deviceKey"`     // PKCS#8
	DeviceRequest    string          `json:"deviceRequest"` // PKCS#10
	Plaintext        string          `json:"checkpointPlaintext"`
	SealInfo         string          `json:"checkpointSealInfo"`
	CheckpointSigned string          `json:"checkpointSignedBytes"`
	Checkpoint       json.RawMessage `json:"checkpoint"`

	PreviousIdentityKey   string          `json:"previousIdentityKey"`   // PKCS#8
	PreviousDecryptionKey string          `json:"previousDecryptionKey"` // PKCS#8
	RotationSigned        string          `json:"rotationSignedBytes"`
	Rotation              json.RawMessage `json:"rotation"` // to the keys of the hello

	OrderingKey     string          `json:"orderingKey"`          // PKCS#8
	SealedOrder     string          `json:"sealedOrder"`          // for a recipient with a P-256 key, signed by the ordering key
	RecipientSigned string          `json:"recipientSignedBytes"` // what the ordering key has signed
	RecipientP256   string          `json:"recipientKeyP256"`     // PKCS#8
	RecipientX25519 string          `json:"recipientKeyX25519"`   // PKCS#8
	PKCS12          string          `json:"sealedPkcs12"`         // stands for a .p12
	Password        string          `json:"sealedPassword"`
	BundleInfo      string          `json:"sealedInfo"`        // of the bundle for the P-256 key
	BundleSigned    string          `json:"sealedSignedBytes"` // of the same
	BundleP256      json.RawMessage `json:"sealedP256"`
	BundleX25519    json.RawMessage `json:"sealedX25519"`
}

func transcriptContexts() []wsproto.Context {
	return []wsproto.Context{
		wsproto.ContextChallenge, wsproto.ContextAuthenticate, wsproto.ContextRechallenge, wsproto.ContextReauthenticate,
		wsproto.ContextEnrollment,
	}
}

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// updateVectors writes the vectors anew, when -update asks for it.
func updateVectors(t *testing.T) {
	t.Helper()
	if !*update {
		return
	}
	cryptotest.SetGlobalRandom(t, 1)
	v := makeVectors(t)
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(v))
	require.NoError(t, os.WriteFile(vectorsFile, text.Bytes(), 0o644))
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return hex.EncodeToString(der)
	}
	tenant, identity, device, box := newKey(t), newKey(t), newKey(t), newDecryptionKey(t)
	pin := fingerprint(t, tenant.Public())
	nonce := bytes.Repeat([]byte{0xa5}, 32)
	hello, err := wsproto.EncodeHello(wsproto.Hello{
		Versions: []int{1}, Instance: "5f2b7f0e", IdentityKey: spki(t, identity.Public()), DecryptionKey: spki(t, box.PublicKey()),
		Nonce: nonce, Capacity: 8, Host: "connector-1", OS: "linux", Software: "example 1.0",
	})
	require.NoError(t, err)
	challenge, err := wsproto.EncodeChallenge(wsproto.Challenge{
		Version: 1, Session: "s-1", Nonce: bytes.Repeat([]byte{0x5a}, 32), TenantKey: spki(t, tenant.Public()),
		Limits: wsproto.Limits{MaxMessageBytes: 1 << 20, HeartbeatMS: 25000, RPCDeadlineMS: 120000},
	})
	require.NoError(t, err)
	b := wsproto.Binding{Tenant: "acme", Authority: "gateway.example.com", Hello: hello, Challenge: challenge}
	v := vectors{
		Comment:   "Test vectors of adcs-connector.v1. Keys are for tests only. Binary members are hexadecimal.",
		TenantKey: pkcs8(tenant), TenantSPKI: hex.EncodeToString(spki(t, tenant.Public())), IdentityKey: pkcs8(identity),
		DecryptionKey: pkcs8(box), TenantPin: pin.String(), Tenant: b.Tenant, Authority: b.Authority, Hello: string(hello),
		Challenge: string(challenge), Transcripts: map[wsproto.Context]string{}, DeviceKey: pkcs8(device),
	}
	for _, c := range transcriptContexts() {
		v.Transcripts[c] = hex.EncodeToString(b.Transcript(c))
	}
	sig, err := wsproto.SignChallenge(tenant, b)
	require.NoError(t, err)
	v.Challenge1 = hex.EncodeToString(sig)
	sig, err = wsproto.SignAuthenticate(identity, b)
	require.NoError(t, err)
	v.Authenticate = hex.EncodeToString(sig)

	code := wsproto.NewEnrollmentCode(pin)
	v.EnrollmentCode, v.EnrollmentID = code.Reveal(), code.ID()
	v.EnrollmentHash, v.EnrollmentMAC = hex.EncodeToString(code.Hash()), hex.EncodeToString(code.MAC(b).MAC)

	order, err := wsproto.EncodeOrder(wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}, Template: "WiFi", Subject: "CN=device", Key: "p256",
	})
	require.NoError(t, err)
	v.Order, v.OrderDigest = string(order), hex.EncodeToString(wsproto.OrderDigest(order))

	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}, device)
	require.NoError(t, err)
	v.DeviceRequest = hex.EncodeToString(request)
	key, err := hex.DecodeString(v.DeviceKey)
	require.NoError(t, err)
	secret := wsproto.CheckpointSecret{PrivateKey: key, Request: request}
	c, err := wsproto.SealCheckpoint(wsproto.Checkpoint{
		State: wsproto.CheckpointSubmitting, CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}, Account: `CORP\svc-connector`,
		Time: time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC), Tenant: b.Tenant, Job: "0f8fad5b-d9cb-469f-a165-70867728950e", Attempt: 1,
		Sequence: 1, OrderDigest: wsproto.OrderDigest(order),
	}, secret, identity, box.PublicKey())
	require.NoError(t, err)
	v.Plaintext, v.SealInfo = hex.EncodeToString(secret.Encode()), hex.EncodeToString(c.SealInfo())
	v.CheckpointSigned = hex.EncodeToString(c.SignedBytes())
	v.Checkpoint, err = json.Marshal(c)
	require.NoError(t, err)

	oldIdentity, oldBox := newKey(t), newDecryptionKey(t)
	v.PreviousIdentityKey, v.PreviousDecryptionKey = pkcs8(oldIdentity), pkcs8(oldBox)
	keys := wsproto.RotationKeys{
		PreviousDecryption: spki(t, oldBox.PublicKey()), Identity: spki(t, identity.Public()), Decryption: spki(t, box.PublicKey()),
	}
	r, err := wsproto.SignRotation(oldIdentity, b.Tenant, keys)
	require.NoError(t, err)
	v.RotationSigned = hex.EncodeToString(r.SignedBytes(b.Tenant, keys.Identity, keys.Decryption))
	v.Rotation, err = json.Marshal(r)
	require.NoError(t, err)
	makeSealedVectors(t, &v, identity)
	return v
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	require.NotEmpty(t, b)
	return b
}

func privateKey(t testing.TB, pkcs8 string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(unhex(t, pkcs8))
	require.NoError(t, err)
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		require.Equal(t, elliptic.P256(), key.Curve)
		return key
	}
	t.Fatalf("a %T in the vectors", key)
	return nil
}

func TestVectorsOfTheHandshake(t *testing.T) {
	updateVectors(t)
	v := loadVectors(t)
	b := wsproto.Binding{Tenant: v.Tenant, Authority: v.Authority, Hello: []byte(v.Hello), Challenge: []byte(v.Challenge)}
	require.Len(t, v.Transcripts, len(transcriptContexts()))
	for _, c := range transcriptContexts() {
		assert.Equal(t, v.Transcripts[c], hex.EncodeToString(b.Transcript(c)), c)
	}
	pin, err := wsproto.ParseFingerprint(v.TenantPin)
	require.NoError(t, err)
	assert.Equal(t, pin, wsproto.FingerprintSPKI(unhex(t, v.TenantSPKI)))
	assert.Equal(t, pin, fingerprint(t, privateKey(t, v.TenantKey).Public()))
	_, err = wsproto.VerifyChallenge(pin, b, unhex(t, v.Challenge1))
	assert.NoError(t, err)
	identity := spki(t, privateKey(t, v.IdentityKey).Public())
	assert.NoError(t, wsproto.VerifyAuthenticate(identity, b, unhex(t, v.Authenticate)))
	var hello wsproto.Hello
	require.NoError(t, wsproto.Unmarshal(b.Hello, &hello))
	require.NoError(t, hello.Validate())
	assert.Equal(t, identity, hello.IdentityKey)
}

func TestVectorsOfEnrollment(t *testing.T) {
	v := loadVectors(t)
	b := wsproto.Binding{Tenant: v.Tenant, Authority: v.Authority, Hello: []byte(v.Hello), Challenge: []byte(v.Challenge)}
	code, err := wsproto.ParseEnrollmentCode(v.EnrollmentCode)
	require.NoError(t, err)
	assert.Equal(t, v.EnrollmentID, code.ID())
	assert.Equal(t, v.TenantPin, code.TenantKey().String())
	assert.Equal(t, v.EnrollmentHash, hex.EncodeToString(code.Hash()))
	assert.Equal(t, v.EnrollmentMAC, hex.EncodeToString(code.MAC(b).MAC))
}

func TestVectorsOfTheCheckpoint(t *testing.T) {
	v := loadVectors(t)
	assert.Equal(t, v.OrderDigest, hex.EncodeToString(wsproto.OrderDigest([]byte(v.Order))))
	canonical, err := wsproto.CanonicalOrder([]byte(v.Order))
	require.NoError(t, err)
	assert.Equal(t, v.Order, string(canonical))
	var c wsproto.Checkpoint
	require.NoError(t, wsproto.Unmarshal(v.Checkpoint, &c))
	assert.Equal(t, v.CheckpointSigned, hex.EncodeToString(c.SignedBytes()))
	assert.Equal(t, v.SealInfo, hex.EncodeToString(c.SealInfo()))
	key, err := x509.ParsePKCS8PrivateKey(unhex(t, v.DecryptionKey))
	require.NoError(t, err)
	var box *ecdh.PrivateKey
	switch key := key.(type) {
	case *ecdsa.PrivateKey: // PKCS#8 does not tell the two apart
		box, err = key.ECDH()
		require.NoError(t, err)
	case *ecdh.PrivateKey:
		box = key
	}
	secret, err := wsproto.OpenCheckpoint(&c, box, wsproto.CheckpointExpectation{
		Makers: []*ecdsa.PublicKey{&privateKey(t, v.IdentityKey).PublicKey}, Tenant: v.Tenant, Job: c.Job, Attempt: 1,
		OrderDigest: unhex(t, v.OrderDigest), CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}, Account: `CORP\svc-connector`,
	})
	require.NoError(t, err)
	assert.Equal(t, v.DeviceKey, hex.EncodeToString(secret.PrivateKey))
	assert.Equal(t, v.DeviceRequest, hex.EncodeToString(secret.Request))
	assert.Equal(t, v.Plaintext, hex.EncodeToString(secret.Encode()))
}

func TestVectorsOfTheRotation(t *testing.T) {
	v := loadVectors(t)
	var hello wsproto.Hello
	require.NoError(t, wsproto.Unmarshal([]byte(v.Hello), &hello))
	hello.Rotation = new(wsproto.Rotation)
	require.NoError(t, wsproto.Unmarshal(v.Rotation, hello.Rotation))
	assert.Equal(t, spki(t, privateKey(t, v.PreviousIdentityKey).Public()), hello.Rotation.IdentityKey)
	assert.Equal(t, v.RotationSigned, hex.EncodeToString(hello.Rotation.SignedBytes(v.Tenant, hello.IdentityKey, hello.DecryptionKey)))
	require.NoError(t, hello.Validate())
	require.NoError(t, wsproto.VerifyRotation(v.Tenant, &hello))
	require.ErrorIs(t, wsproto.VerifyRotation("another", &hello), wsproto.ErrSignature)
}
