package adcs_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

const (
	callProperty = "ICertRequestD2 7"
	callList     = "ICertRequestD2 8"
	callCACert   = "ICertRequestD 4"
)

// oldCA has the answer of RemoteActivation say that there is no ICertRequestD2.
func oldCA(call string) *adcstest.Fault {
	return activated(func(m *dcom.RemoteActivated) {
		m.Interfaces[0] = dcom.Interfaced{Result: uint32(adcs.ErrNoInterface)}
	})(call)
}

func TestDescribe(t *testing.T) {
	profile := adcstest.Profile{
		CDP: []string{"http://pki.corp.test/1.crl", "http://pki.corp.test/2.crl"}, AIA: []string{"http://pki.corp.test/ca.crt"},
		OCSP: []string{"http://ocsp.corp.test/"},
	}
	r := &recorder{}
	opts := r.options()
	opts.Profile = profile
	s := newServer(t, opts)
	client := newClient(t, s, nil)
	d, err := client.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, s.Name(), d.Name)
	assert.Equal(t, s.Name(), d.SanitizedName)
	assert.Equal(t, s.Name(), d.ShortName)
	assert.Equal(t, s.Host(), d.DNSName)
	assert.Contains(t, d.ParentName, `\`+s.Name()+" Root")
	assert.Equal(t, adcs.EnterpriseSubordinate, d.Type)
	assert.Equal(t, "enterprise subordinate CA", d.Type.String())
	assert.Equal(t, "10.0:20348.1", d.FileVersion)
	assert.True(t, d.AdvancedServer)
	assert.False(t, d.RoleSeparation)
	assert.Equal(t, profile.CDP, d.CDP)
	assert.Equal(t, profile.AIA, d.AIA)
	assert.Equal(t, profile.OCSP, d.OCSP)
	require.Len(t, d.Certificates, 1)
	assert.Equal(t, s.Certificate().Raw, d.Current().Certificate.Raw)
	assert.Equal(t, adcs.CACertificateValid, d.Current().State)
	require.Len(t, d.Current().Chain, 1)
	assert.NoError(t, d.Current().Certificate.CheckSignatureFrom(d.Current().Chain[0]))
	require.NotNil(t, d.Exchange)
	assert.Contains(t, d.Exchange.Subject.CommonName, "-Xchg")
	assert.Contains(t, d.Templates, adcs.PublishedTemplate{Name: "WebServer"})
	assert.Greater(t, len(d.Properties), 30)
	assert.Contains(t, d.Properties, adcs.CAProperty{
		ID: dcom.PropCASigCert, Name: "CA Signature Certificate", Type: 3, Indexed: true,
	})
	assert.Empty(t, d.Missing)
	assert.Empty(t, s.Requests(), "it makes no request")
	require.NoError(t, client.Close())
	assert.Equal(t, r.count(callActivate), r.count(callRelease))
}

// TestDescribeRenewed has a CA that was renewed with its key, and then with a new one.
func TestDescribeRenewed(t *testing.T) {
	s := newServer(t, &adcstest.Options{Profile: adcstest.Profile{SelfSigned: true}})
	client := newClient(t, s, nil)
	issue := func() *adcs.Result {
		result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
		require.NoError(t, err)
		return result
	}
	first := issue()
	require.NoError(t, s.RenewCA(false))
	require.NoError(t, s.RenewCA(true))
	last := issue()
	d, err := client.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, adcs.EnterpriseRoot, d.Type)
	assert.Empty(t, d.ParentName)
	assert.Equal(t, []adcs.MissingProperty{{ID: dcom.PropParentCA, Err: adcs.ErrFileNotFound}}, d.Missing)
	require.Len(t, d.Certificates, 3)
	keys := []int{}
	for i, c := range d.Certificates {
		assert.Equal(t, s.CACertificates()[i].Raw, c.Certificate.Raw)
		assert.Empty(t, c.Chain)
		keys = append(keys, c.Key)
	}
	assert.Equal(t, []int{0, 0, 2}, keys)
	assert.Same(t, &d.Certificates[2], d.Current())
	assert.Same(t, d.Current(), d.Issuer(last.Certificate))
	assert.Equal(t, 0, d.Issuer(first.Certificate).Key, "one of the two with the first key")
	assert.Nil(t, d.Issuer(newServer(t, nil).Certificate()))

	for index, delta := range map[int]bool{-1: false, 0: false, 2: true} {
		list, err := client.CRL(t.Context(), index, delta)
		require.NoError(t, err, "index %d", index)
		signer := d.Certificates[max(index, 0)]
		if index < 0 {
			signer = *d.Current()
		}
		assert.NoError(t, list.CheckSignatureFrom(signer.Certificate))
	}
	_, err = client.CRL(t.Context(), 7, false)
	refused, ok := errors.AsType[*adcs.RequestError](err)
	require.True(t, ok, "%v", err)
	assert.NotZero(t, refused.Code)
	_, err = client.CRL(t.Context(), -2, false)
	require.ErrorIs(t, err, adcs.ErrInvalidRequest)
}

// TestDescribeIssuer tells certificates of one key apart by the time at which they were there.
func TestDescribeIssuer(t *testing.T) {
	now := time.Now()
	s := newServer(t, &adcstest.Options{
		Profile: adcstest.Profile{SelfSigned: true}, Now: func() time.Time { return now },
	})
	client := newClient(t, s, nil)
	var issued []*adcs.Result
	for i := range 3 {
		if i > 0 {
			now = now.Add(time.Hour)
			require.NoError(t, s.RenewCA(false))
			now = now.Add(time.Hour)
		}
		result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
		require.NoError(t, err)
		issued = append(issued, result)
	}
	d, err := client.Describe(t.Context())
	require.NoError(t, err)
	for i := range issued {
		assert.Same(t, &d.Certificates[i], d.Issuer(issued[i].Certificate), "certificate %d", i)
	}
}

// TestDescribeOldCA has a CA with ICertRequestD alone: what GetCACert says is there, the rest is missing.
func TestDescribeOldCA(t *testing.T) {
	r := &recorder{fault: oldCA}
	s := newServer(t, r.options())
	client := newClient(t, s, nil)
	d, err := client.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, s.Name(), d.Name)
	assert.Equal(t, adcs.EnterpriseSubordinate, d.Type)
	require.Len(t, d.Certificates, 1)
	assert.Equal(t, s.Certificate().Raw, d.Current().Certificate.Raw)
	assert.Equal(t, adcs.CACertificateValid, d.Current().State)
	assert.NotNil(t, d.Exchange)
	assert.Empty(t, d.Templates)
	missing := map[int32]error{}
	for _, m := range d.Missing {
		missing[m.ID] = m.Err
	}
	for _, id := range []int32{dcom.PropTemplates, dcom.PropCASigCertChain, dcom.PropDNSName, dcom.PropCDPURLs, 0} {
		assert.Equal(t, adcs.ErrNoInterface, missing[id], "property %#x", id)
	}
	assert.Positive(t, r.count(callCACert))
	assert.Zero(t, r.count(callProperty))
	_, err = client.CRL(t.Context(), -1, false)
	require.NoError(t, err)
}

// TestDescribeWrongName has a client that calls the CA by another name.
func TestDescribeWrongName(t *testing.T) {
	s := newServer(t, nil)
	user := s.User()
	client, err := adcs.New(s.Host(), "Another CA", adcs.Password(user.Account(), user.Password), &adcs.Options{
		AllowNTLM: true, DialContext: s.DialContext,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	_, err = client.Describe(t.Context())
	require.ErrorIs(t, err, adcs.ErrInvalidArg)
}

// valued changes the values of properties on their way.
func valued(change func(n int, m *dcom.Value)) func(string) *adcstest.Fault {
	n := 0
	return func(call string) *adcstest.Fault {
		if call != callProperty {
			return nil
		}
		n++
		now := n
		return &adcstest.Fault{Stub: func(stub []byte) []byte {
			var that dcom.That
			var m dcom.Value
			r := ndr.NewReader(stub, false)
			that.Read(r)
			m.Read(r)
			change(now, &m)
			w := &ndr.Writer{}
			that.Write(w)
			m.Write(w)
			return w.Stub()
		}}
	}
}

// TestDescribeRefusals has a CA that refuses every property but its name: nothing of it is fatal.
func TestDescribeRefusals(t *testing.T) {
	for _, code := range []uint32{0x80070057, 0x80070005, 5} {
		r := &recorder{fault: valued(func(n int, m *dcom.Value) {
			if n > 1 {
				*m = dcom.Value{Return: code}
			}
		})}
		s := newServer(t, r.options())
		d, err := newClient(t, s, nil).Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, s.Name(), d.Name)
		assert.Equal(t, adcs.UnknownCAType, d.Type)
		assert.Nil(t, d.Current())
		assert.Greater(t, len(d.Missing), 15)
		for _, m := range d.Missing {
			require.ErrorIs(t, m.Err, adcs.HResult(code&0xffff|0x80070000))
		}
		assert.NotEmpty(t, d.Properties)
	}
	r := &recorder{fault: valued(func(_ int, m *dcom.Value) { *m = dcom.Value{Return: uint32(adcs.ErrEnrollDenied)} })}
	_, err := newClient(t, newServer(t, r.options()), nil).Describe(t.Context())
	require.ErrorIs(t, err, adcs.ErrEnrollDenied)
	assert.Equal(t, 1, r.count(callProperty), "who does not say its name is not asked any more")
}

// TestDescribeOddValues has values that are no such values: they are missing, with an error that says so.
func TestDescribeOddValues(t *testing.T) {
	for name, value := range map[string][]byte{
		"odd": []byte("abc"), "junk": bytes.Repeat([]byte{0xff}, 100), "numbers": {0xff, 0xff, 0xff, 0xff},
		"long": bytes.Repeat([]byte("ab"), 600_000), "NUL": []byte("a\x00\x00\x00b\x00"),
		"lines": []byte(strings.Repeat("x\x00\n\x00", 20_000)), "control": []byte("a\x00\x1b\x00[\x00b\x00\r\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{fault: valued(func(n int, m *dcom.Value) {
				if n > 1 {
					m.Value = value
				}
			})}
			d, err := newClient(t, newServer(t, r.options()), nil).Describe(t.Context())
			require.NoError(t, err)
			assert.NotEmpty(t, d.Missing)
			assert.Nil(t, d.Current())
			assert.Nil(t, d.Exchange)
			assert.Less(t, len(d.Certificates), 257)
			assert.NotContains(t, d.DNSName, "\x1b")
			assert.Less(t, len(d.DNSName), 3000)
			assert.LessOrEqual(t, len(d.Templates), 4096)
			assert.LessOrEqual(t, len(d.CDP), 256)
		})
	}
	for name, value := range map[string][]byte{"none": nil, "control": []byte("a\x00\n\x00")} {
		r := &recorder{fault: valued(func(_ int, m *dcom.Value) { m.Value = value })}
		_, err := newClient(t, newServer(t, r.options()), nil).Describe(t.Context())
		odd, ok := errors.AsType[*adcs.AnswerError](err)
		require.True(t, ok, "%s: %v", name, err)
		assert.Contains(t, odd.Reason, "name")
	}
}

// TestDescribeTemplates has lists as CAs of several versions write them.
func TestDescribeTemplates(t *testing.T) {
	for text, want := range map[string][]adcs.PublishedTemplate{
		"":                      nil,
		"\n":                    nil,
		"User\n\nPC\n1.2.3\n":   {{Name: "User"}, {Name: "PC", OID: "1.2.3"}},
		"PC\n1.2.3\nUser\n\n":   {{Name: "PC", OID: "1.2.3"}, {Name: "User"}},
		"PC\n1.2.3\nUser\n":     {{Name: "PC", OID: "1.2.3"}, {Name: "User"}},
		"PC\n1.2.3":             {{Name: "PC", OID: "1.2.3"}},
		"P\tC \n 1.2.3\x00\x00": {{Name: "P C", OID: "1.2.3"}},
	} {
		list := dcom.AppendText(nil, strings.TrimRight(text, "\x00"))
		r := &recorder{fault: valued(func(_ int, m *dcom.Value) {
			if bytes.HasPrefix(m.Value, dcom.AppendText(nil, "User\n")[:10]) {
				m.Value = list
			}
		})}
		d, err := newClient(t, newServer(t, r.options()), nil).Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, d.Templates, "%q", text)
	}
}

// TestDescribeBreaks has each call of it fail in turn: an error within a moment, nothing is left, and the next one
// works.
func TestDescribeBreaks(t *testing.T) {
	for name, fault := range map[string]adcstest.Fault{
		"cut": {Cut: adcstest.CutBeforeAnswer}, "fault": {Status: 0x80010108}, "NDR": {BadNDR: true},
		"half": {Stub: func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; at < 30; at += 4 {
				n, hit := 0, 0
				r := &recorder{}
				r.fault = func(call string) *adcstest.Fault {
					if call != callProperty && call != callList {
						return nil
					}
					if n++; n == at {
						hit++
						f := fault
						return &f
					}
					return nil
				}
				client := newClient(t, newServer(t, r.options()), &adcs.Options{Timeout: 5 * time.Second})
				_, err := client.Describe(t.Context())
				r.mu.Lock()
				failed := hit > 0
				n = 1000
				r.mu.Unlock()
				if failed {
					require.Error(t, err, "call %d", at)
					assert.NotErrorIs(t, err, adcs.ErrLogon)
				}
				assert.Equal(t, at < 24, failed, "call %d", at)
				_, err = client.Describe(t.Context())
				require.NoError(t, err)
			}
		})
	}
}

// TestDescribeMalformedList has a list of properties with wrong counts and offsets.
func TestDescribeMalformedList(t *testing.T) {
	r := &recorder{fault: func(call string) *adcstest.Fault {
		if call != callList {
			return nil
		}
		return &adcstest.Fault{Stub: func(stub []byte) []byte {
			stub[8] = 0xff // pcProperty, behind ORPCTHAT
			return stub
		}}
	}}
	d, err := newClient(t, newServer(t, r.options()), nil).Describe(t.Context())
	require.NoError(t, err)
	assert.Empty(t, d.Properties)
	require.Len(t, d.Missing, 1)
	assert.Zero(t, d.Missing[0].ID)
	assert.Contains(t, d.Missing[0].Err.Error(), "properties")
	assert.NotErrorIs(t, d.Missing[0].Err, rpc.ErrIntegrity)
}

func TestDescribeWithoutDCOM(t *testing.T) {
	s := newServer(t, nil)
	s.SetDCOM(false)
	client := newClient(t, s, nil)
	_, err := client.Describe(t.Context())
	require.ErrorIs(t, err, adcs.ErrServerExecFailure)
	require.NoError(t, client.Ping(t.Context()), "requests take another way")
}
