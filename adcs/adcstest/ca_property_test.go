package adcstest_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/dcom"
)

const notThere = uint32(0x80070002)

// propertyText is a property of type string.
func propertyText(t testing.TB, ca *adcstest.Authority, id, index int32) string {
	t.Helper()
	b, hr := ca.Property(id, index, dcom.TypeString)
	require.Zero(t, hr, "property %#x", id)
	return text(t, b)
}

func propertyBytes(t testing.TB, ca *adcstest.Authority, id, index int32) []byte {
	t.Helper()
	b, hr := ca.Property(id, index, dcom.TypeBinary)
	require.Zero(t, hr, "property %#x", id)
	require.NotEmpty(t, b)
	return b
}

// TestPropertyTexts are the properties of a CA that are strings (MS-WCCE section 3.2.1.4.3.2).
func TestPropertyTexts(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{
		CDP:  []string{"http://pki.corp.test/1.crl", "http://pki.corp.test/2.crl"},
		AIA:  []string{"http://pki.corp.test/ca.crt"},
		OCSP: []string{"http://ocsp.corp.test/"},
	})
	for id, want := range map[int32]string{
		dcom.PropCAName: caName, dcom.PropSanitizedCAName: caName, dcom.PropSanitizedShortName: caName,
		dcom.PropDNSName: "ca.corp.test", dcom.PropParentCA: `offline.corp.test\` + caName + " Root",
		dcom.PropCDPURLs: "http://pki.corp.test/1.crl\nhttp://pki.corp.test/2.crl\n",
		dcom.PropAIAURLs: "http://pki.corp.test/ca.crt\n", dcom.PropOCSPURLs: "http://ocsp.corp.test/\n",
	} {
		assert.Equal(t, want, propertyText(t, ca, id, 0), "property %#x", id)
	}
	assert.Regexp(t, "(?s)^WebServer\n\nHeld\n"+heldOID+"\n.*\n$", propertyText(t, ca, dcom.PropTemplates, 0))
	leaf, _ := issueOne(t, ca)
	assert.Equal(t, []string{"http://ocsp.corp.test/"}, parse(t, leaf).OCSPServer)
	own, _ := newRevoker(t, adcstest.Profile{SelfSigned: true})
	_, hr := own.Property(dcom.PropParentCA, 0, dcom.TypeString)
	assert.Equal(t, notThere, hr, "a root CA has no parent")
}

// TestPropertyCerts are the certificates and CRLs of a CA that was renewed with the same key and with another one.
func TestPropertyCerts(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{SelfSigned: true})
	require.NoError(t, ca.Renew(false))
	require.NoError(t, ca.Renew(true))
	certs := ca.Certificates()
	for i := range 3 {
		assert.Equal(t, certs[i].Raw, propertyBytes(t, ca, dcom.PropCASigCert, int32(i)))
		assert.True(t, bytes.Contains(propertyBytes(t, ca, dcom.PropCASigCertChain, int32(i)), certs[i].Raw))
	}
	assert.Equal(t, certs[2].Raw, propertyBytes(t, ca, dcom.PropCASigCert, dcom.PropertyNewest))
	_, hr := ca.Property(dcom.PropCASigCert, 3, dcom.TypeBinary)
	assert.Equal(t, notThere, hr)

	long := func(id, index int32) []byte {
		b, hr := ca.Property(id, index, dcom.TypeLong)
		require.Zero(t, hr)
		return b
	}
	assert.Equal(t, []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 0}, long(dcom.PropCACertVersion, 0))
	assert.Equal(t, []byte{3, 3, 3}, long(dcom.PropCACertState, 0))
	assert.Equal(t, []byte{3, 1, 3}, long(dcom.PropCRLState, 0))
	assert.Equal(t, []byte{1, 3, 1}, long(0x25, 0), "forward cross certificates")
	assert.Equal(t, []byte{1, 1, 3}, long(0x26, 0), "backward cross certificates")
	require.NoError(t, parse(t, propertyBytes(t, ca, 0x23, 1)).CheckSignatureFrom(certs[1]))
	require.NoError(t, parse(t, propertyBytes(t, ca, 0x24, 2)).CheckSignatureFrom(certs[2]))

	for index, signer := range map[int32]*x509.Certificate{0: certs[1], 2: certs[2], dcom.PropertyNewest: certs[2]} {
		for _, id := range []int32{dcom.PropBaseCRL, dcom.PropDeltaCRL} {
			list, err := x509.ParseRevocationList(propertyBytes(t, ca, id, index))
			require.NoError(t, err)
			assert.NoError(t, list.CheckSignatureFrom(signer))
		}
	}
	_, hr = ca.Property(dcom.PropBaseCRL, 1, dcom.TypeBinary)
	assert.Equal(t, notThere, hr, "CRLs go by the first certificate of a key")
	assert.EqualValues(t, 5, binary.LittleEndian.Uint32(long(dcom.PropBaseCRLPublish, 0)), "base, complete")
	assert.EqualValues(t, 6, binary.LittleEndian.Uint32(long(dcom.PropDeltaCRLPublish, 0)), "delta, complete")
	assert.EqualValues(t, 0, binary.LittleEndian.Uint32(long(dcom.PropCACertStatusCode, 0)))
	*now = now.Add(100 * 365 * 24 * time.Hour)
	assert.EqualValues(t, 0x800B0101, binary.LittleEndian.Uint32(long(dcom.PropCACertStatusCode, 0)))
	assert.Equal(t, []byte{4, 4, 4}, long(dcom.PropCACertState, 0))
}

// TestPropertyNumbers are those that come in a CAINFO (MS-WCCE section 2.2.2.4).
func TestPropertyNumbers(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	require.NoError(t, ca.Renew(true))
	for _, id := range []int32{
		dcom.PropExitCount, dcom.PropCAType, dcom.PropCASigCertCount, dcom.PropCAXchgCertCount, dcom.PropCAPropIDMax,
		dcom.PropRoleSeparation, dcom.PropKRACertUsedCount, dcom.PropKRACertCount, dcom.PropAdvancedServer,
	} {
		b, hr := ca.Property(id, 0, dcom.TypeLong)
		require.Zero(t, hr, "property %#x", id)
		info, err := dcom.ParseCAInfo(b)
		require.NoError(t, err)
		assert.Equal(t, &dcom.CAInfo{
			CAType: 1, SignatureCerts: 2, ExchangeCerts: 1, PropIDMax: dcom.PropSubjectTemplate, AdvancedServer: 1,
		}, info)
	}
}

// TestExchangeCert is the certificate that private keys would be encrypted for.
func TestExchangeCert(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	first := propertyBytes(t, ca, dcom.PropCAXchgCert, 0)
	cert := parse(t, first)
	require.NoError(t, cert.CheckSignatureFrom(ca.Certificate()))
	assert.Equal(t, caName+"-Xchg", cert.Subject.CommonName)
	assert.Equal(t, first, propertyBytes(t, ca, dcom.PropCAXchgCert, dcom.PropertyNewest),
		"the same as long as it is valid")
	assert.True(t, bytes.Contains(propertyBytes(t, ca, dcom.PropCAXchgCertChain, 0), ca.Certificate().Raw))
	lists, err := ca.CRLs(false)
	require.NoError(t, err)
	assert.True(t, bytes.Contains(propertyBytes(t, ca, 0x21, 0), lists[0].Raw), "with the CRLs")
	assert.False(t, bytes.Contains(propertyBytes(t, ca, dcom.PropCAXchgCertChain, 0), lists[0].Raw))
	assert.Empty(t, ca.Requests())
	*now = now.Add(8 * 24 * time.Hour)
	assert.NotEqual(t, first, propertyBytes(t, ca, dcom.PropCAXchgCert, 0))
}

// TestPropertyRefused asks for what there is not, or in the wrong way.
func TestPropertyRefused(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	for name, p := range map[string][3]int32{
		"unknown":          {0x99, 0, dcom.TypeString},
		"negative":         {-1, 0, dcom.TypeString},
		"another type":     {dcom.PropCAName, 0, dcom.TypeLong},
		"an index":         {dcom.PropCAName, 1, dcom.TypeString},
		"exchange index":   {dcom.PropCAXchgCert, 1, dcom.TypeBinary},
		"no type":          {dcom.PropCAName, 0, 0},
		"negative index":   {dcom.PropCASigCert, -2, dcom.TypeBinary},
		"exit module":      {dcom.PropExitDescription, 0, dcom.TypeString},
		"recovery agent":   {dcom.PropKRACert, 0, dcom.TypeBinary},
		"shared folder":    {dcom.PropSharedFolder, 0, dcom.TypeString},
		"cross without":    {0x23, 0, dcom.TypeBinary},
		"newest state":     {dcom.PropCACertState, dcom.PropertyNewest, dcom.TypeLong},
		"newest CRL state": {dcom.PropCRLState, dcom.PropertyNewest, dcom.TypeLong},
		"newest version":   {dcom.PropCACertVersion, dcom.PropertyNewest, dcom.TypeLong},
		"partitioned CRLs": {0x2f, 0, dcom.TypeBinary},
	} {
		b, hr := ca.Property(p[0], p[1], p[2])
		assert.NotZero(t, hr, name)
		assert.Nil(t, b, name)
	}
	seen := map[int32]bool{}
	for _, p := range ca.Properties() {
		assert.False(t, seen[p.ID], "property %#x twice", p.ID)
		assert.NotEmpty(t, p.Name)
		seen[p.ID] = true
		if _, hr := ca.Property(p.ID, 0, int32(p.Type)); hr != 0 {
			assert.Equal(t, notThere, hr, "property %#x is of another type than the CA says", p.ID)
		}
	}
	assert.Len(t, seen, 0x2e)
	none, hr := ca.Property(0x2e, 0, dcom.TypeLong)
	assert.Zero(t, hr)
	assert.Equal(t, make([]byte, 4), none, "no partitions: a number, and not among others")
}

// TestGetCACert are the same values by other numbers (MS-WCCE section 3.2.1.4.2.2).
func TestGetCACert(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	get := func(what uint32) []byte {
		t.Helper()
		b, hr := ca.CACert(what)
		require.Zero(t, hr, "%#x", what)
		return b
	}
	assert.Equal(t, ca.Certificate().Raw, get(0))
	assert.Equal(t, ca.Certificate().Raw, get(0x63740000))
	assert.Equal(t, propertyBytes(t, ca, dcom.PropCAXchgCert, 0), get(1))
	_, err := x509.ParseRevocationList(get(0x6363726c))
	assert.NoError(t, err)
	_, err = x509.ParseRevocationList(get(0x636c0000))
	assert.NoError(t, err)
	assert.Equal(t, caName, text(t, get(0x6e616d65)))
	assert.Equal(t, []byte{1, 0, 0, 0}, get(0x74797065))
	assert.Len(t, get(0x696e666f), 40)
	assert.Equal(t, []byte{3}, get(0x73740000))
	for _, what := range []uint32{2, 0x63740001, 0x65780000, 0xffffffff, 0x73686172} {
		_, hr := ca.CACert(what)
		assert.NotZero(t, hr, "%#x", what)
	}
}
