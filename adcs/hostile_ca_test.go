package adcs_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestForgedCertificates orders from a CA that issues something else each time. What Submit cannot see, Verify must.
func TestForgedCertificates(t *testing.T) {
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	roots := x509.NewCertPool()
	for _, ca := range s.Chain() {
		if bytes.Equal(ca.RawSubject, ca.RawIssuer) {
			roots.AddCert(ca)
		}
	}
	csr := requestFor(t, newKey(t), testSubject, mustSID(t, testSID), mustSAN(t))
	order := func(t *testing.T) error {
		result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
		require.NoError(t, err)
		expect, err := adcs.ExpectRequest(csr)
		require.NoError(t, err)
		expect.Roots, expect.Intermediates = roots, result.Chain
		return second(adcs.Verify(result.Certificate, expect))
	}
	require.NoError(t, order(t))
	for name, tc := range map[string]struct {
		forgery adcstest.Forgery
		want    adcs.Mismatch
	}{
		"another key":                {adcstest.Forgery{OtherKey: true}, adcs.MismatchKey},
		"another subject":            {adcstest.Forgery{Subject: "administrator"}, adcs.MismatchSubject},
		"expired":                    {adcstest.Forgery{Expired: true}, adcs.MismatchValidity},
		"another CA of the name":     {adcstest.Forgery{OtherIssuer: true}, adcs.MismatchChain},
		"no certificates of the CAs": {adcstest.Forgery{OmitChain: true}, adcs.MismatchChain},
	} {
		t.Run(name, func(t *testing.T) {
			s.InjectFault(adcstest.Fault{Forge: tc.forgery})
			err := order(t)
			require.ErrorIs(t, err, tc.want)
			checkExplanation(t, adcs.Explain(err))
		})
	}
	require.NoError(t, order(t), "honest again")
}

func mustSAN(t testing.TB) pkix.Extension {
	ext, err := testSAN().Extension()
	require.NoError(t, err)
	return ext
}

// hostileStubs are answers that are signed and sealed well, and are none.
func hostileStubs(t testing.TB) map[string]func([]byte) []byte {
	put := func(at int, v uint32) func([]byte) []byte {
		return func(stub []byte) []byte {
			stub = bytes.Clone(stub)
			binary.LittleEndian.PutUint32(stub[at:], v)
			return stub
		}
	}
	m := map[string]func([]byte) []byte{
		"nothing":                    func([]byte) []byte { return []byte{} },
		"one byte":                   func([]byte) []byte { return []byte{1} },
		"zeros":                      func([]byte) []byte { return make([]byte, 3<<20) },
		"ones":                       func([]byte) []byte { return bytes.Repeat([]byte{0xff}, 70000) },
		"more than 4 MiB":            func(stub []byte) []byte { return append(stub, make([]byte, 5<<20)...) },
		"bytes after the answer":     func(stub []byte) []byte { return append(bytes.Clone(stub), make([]byte, 64)...) },
		"something after the answer": func(stub []byte) []byte { return append(bytes.Clone(stub), 1) },
		"no request id":              put(0, 0),
		"a blob of 4 GiB":            put(8, 0xffffffff),
		"a count of 4 GiB":           put(16, 0xffffffff),
		"a NULL blob with a length":  put(12, 0),
		"an issued blob too short":   put(8, 1),
	}
	for _, n := range []int{4, 8, 12, 16, 20, 100} {
		m["cut off after "+string(rune('0'+n/10))+string(rune('0'+n%10))] = func(stub []byte) []byte {
			return bytes.Clone(stub[:min(n, len(stub))])
		}
	}
	return m
}

// TestHostileAnswers has answers that cannot be used. The CA has executed the request each time, so the outcome is
// unknown; and the client works on.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	faults := map[string]adcstest.Fault{
		"another leaf than in the chain": {Forge: adcstest.Forgery{OtherLeaf: true}},
		"bad NDR":                        {BadNDR: true},
		"cut before the answer":          {Cut: adcstest.CutBeforeAnswer},
		"cut in the answer":              {Cut: adcstest.CutInAnswer},
		"junk in place of a PDU":         {PDU: func(int, []byte) []byte { return []byte("HTTP/1.1 200 OK\r\n\r\n") }},
		"a PDU twice": {PDU: func(n int, pdu []byte) []byte {
			if n == 0 {
				return append(bytes.Clone(pdu), pdu...)
			}
			return pdu
		}},
	}
	for name, stub := range hostileStubs(t) {
		faults["stub: "+name] = adcstest.Fault{Stub: stub}
	}
	n := 0
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			_, csr := newCSR(t, "pc1.corp.test")
			s.InjectFault(fault)
			began := time.Now()
			result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
			if name == "a PDU twice" && err == nil {
				// An answer of one PDU is complete before the second one comes. That one must not answer the next call.
				assert.Equal(t, adcs.Issued, result.Disposition)
			} else {
				require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
				unknown, ok := errors.AsType[*adcs.OutcomeUnknownError](err)
				require.True(t, ok)
				assert.Equal(t, s.Name(), unknown.CA)
				assert.WithinDuration(t, began, unknown.Time, time.Minute)
				row := s.Requests()[n]
				assert.Equal(t, row.PublicKeyHash, unknown.PublicKeyHash, "names the row")
				assert.Equal(t, adcs.RetryOperator, adcs.Explain(err).Retry)
			}
			n++
			require.Len(t, s.Requests(), n, "one row for one submit")
			require.NoError(t, client.Ping(t.Context()), "the client works on")
		})
	}
}

// TestHostileRetrievals has the same answers to a retrieval, which changes nothing: it is an error, and no doubt.
func TestHostileRetrievals(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	_, csr := newCSR(t, "pc1.corp.test")
	issued, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
	require.NoError(t, err)
	faults := map[string]adcstest.Fault{
		"another request id": {Forge: adcstest.Forgery{RequestIDOffset: 1}},
		"bad NDR":            {BadNDR: true},
	}
	for name, stub := range hostileStubs(t) {
		faults["stub: "+name] = adcstest.Fault{Stub: stub}
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			s.InjectFault(fault)
			result, err := client.Retrieve(t.Context(), issued.RequestID)
			require.Error(t, err)
			assert.Nil(t, result)
			assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
			checkExplanation(t, adcs.Explain(err))

			result, err = client.Retrieve(t.Context(), issued.RequestID)
			require.NoError(t, err)
			assert.Equal(t, issued.Certificate.Raw, result.Certificate.Raw)
		})
	}
	assert.Len(t, s.Requests(), 1)
}

// TestSubmitIsNeverRepeated loses the answer at every point at which the CA may have it, with connections that were
// used before and with fresh ones, and counts the rows.
func TestSubmitIsNeverRepeated(t *testing.T) {
	for _, cut := range []adcstest.Cut{
		adcstest.CutBeforeLastFragment, adcstest.CutAfterRequest, adcstest.CutBeforeAnswer, adcstest.CutInAnswer,
	} {
		for _, fresh := range []bool{true, false} {
			s := newServer(t, nil)
			client := newClient(t, s, nil)
			if !fresh {
				require.NoError(t, client.Ping(t.Context()))
			}
			s.InjectFault(adcstest.Fault{Cut: cut})
			_, csr := newCSR(t, "pc1.corp.test")
			_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
			rows := len(s.Requests())
			assert.LessOrEqual(t, rows, 1, "cut %d, fresh %t", cut, fresh)
			if err == nil {
				assert.Equal(t, 1, rows, "cut %d, fresh %t", cut, fresh)
				continue
			}
			require.ErrorIs(t, err, adcs.ErrOutcomeUnknown, "cut %d, fresh %t", cut, fresh)
		}
	}
}

// TestPingJudgesTheAnswer has answers to the call of Ping: it must not say that a CA is there when it is not usable.
func TestPingJudgesTheAnswer(t *testing.T) {
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	answer := func(returned, disposition uint32) adcstest.Fault {
		return adcstest.Fault{Stub: func([]byte) []byte {
			stub := make([]byte, 36)
			binary.LittleEndian.PutUint32(stub[4:], disposition)
			binary.LittleEndian.PutUint32(stub[32:], returned)
			return stub
		}}
	}
	for _, code := range []adcs.HResult{adcs.ErrPropertyEmpty, 0x80074004, adcs.ErrAdminDeniedRequest} {
		s.InjectFault(answer(uint32(code), 0))
		require.NoError(t, client.Ping(t.Context()), "%v", code)
		s.InjectFault(answer(0, uint32(code)))
		require.NoError(t, client.Ping(t.Context()), "%v", code)
	}
	for _, code := range []adcs.HResult{
		adcs.ErrInvalidArg, adcs.ErrAccessDenied, 0x80000009, adcs.ErrEnrollDenied, adcs.ErrServerUnavailable,
		adcs.ErrServerSuspended,
	} {
		s.InjectFault(answer(uint32(code), 0))
		require.ErrorIs(t, client.Ping(t.Context()), code)
	}
	s.InjectFault(adcstest.Fault{Stub: func([]byte) []byte { return make([]byte, 3) }})
	require.Error(t, client.Ping(t.Context()))
}

// TestCloseDuringCalls closes a client while calls hang at the CA: they end, and nothing is left.
func TestCloseDuringCalls(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 8)
	s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		if c.EndpointMapper {
			return nil
		}
		return &adcstest.Fault{After: func(ctx context.Context) {
			entered <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
			}
		}}
	}})
	defer close(release)
	client := newClient(t, s, &adcs.Options{Connections: 3})
	results := make(chan error, 6)
	for range 6 {
		_, csr := newCSR(t, "pc1.corp.test")
		go func() {
			_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
			results <- err
		}()
	}
	for range 3 {
		<-entered
	}
	require.NoError(t, client.Close())
	var errs []error
	for range 6 {
		errs = append(errs, <-results)
	}
	unknown := 0
	for _, err := range errs {
		require.ErrorIs(t, err, net.ErrClosed)
		if errors.Is(err, adcs.ErrOutcomeUnknown) {
			unknown++
		}
	}
	assert.Equal(t, 3, unknown, "those that the CA has are unknown, those that waited for a connection are not")
	assert.Len(t, slices.Clip(s.Requests()), 3)
}
