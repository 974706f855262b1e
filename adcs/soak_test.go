package adcs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

const (
	soakRequests = 1000 // ten times as many with ADCSKIT_LONG
	soakCallers  = 8
	soakTimeout  = time.Second // of a call; only those that are never answered need it
)

// TestSoak submits many requests while the network and the CA fail at random: what the client says about each of them
// agrees with the CA's database, and the client has submitted none of them twice. ADCSKIT_SEED repeats a run, as far as
// the scheduler lets it.
func TestSoak(t *testing.T) {
	for _, transport := range []adcs.Transport{adcs.TransportTCP, adcs.TransportDCOM} {
		t.Run(string(transport), func(t *testing.T) {
			s := newSoak(t, transport)
			s.run(t)
			s.decide(t)
			s.check(t)
			s.settle(t)
			s.end(t)
		})
	}
}

// soak is a CA in bad weather, and what a client of it was told.
type soak struct {
	*weather
	server  *adcstest.Server
	client  *adcs.Client
	patient *adcs.Client // with more time, for what comes after the bad weather
	network *openConns

	mu      sync.Mutex
	records []*record
}

// record is what became of one request.
type record struct {
	csr  []byte
	hash [sha256.Size]byte // of the public key
	key  *ecdsa.PublicKey

	result *adcs.Result
	err    error
}

// fate is what the client says about a request.
type fate string

const (
	fateIssued  fate = "issued"
	fatePending fate = "pending"
	fateRefused fate = "refused"
	fateUnknown fate = "unknown"
	fateNotSent fate = "not sent"
)

func (r *record) fate() fate {
	refusal, refused := errors.AsType[*adcs.RequestError](r.err)
	switch {
	case errors.Is(r.err, adcs.ErrOutcomeUnknown):
		return fateUnknown
	case refused && refusal.RequestID != 0:
		return fateRefused
	case r.err != nil:
		return fateNotSent
	case r.result.Disposition == adcs.Pending:
		return fatePending
	}
	return fateIssued
}

func newSoak(t *testing.T, transport adcs.Transport) *soak {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ADCSKIT_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ADCSKIT_SEED=%d", seed)
	s := &soak{weather: &weather{dice: newDice(seed, 1)}}
	s.server = newServer(t, &adcstest.Options{Fault: s.fault, Readers: []string{`CORP\enroller`}})
	s.network = &openConns{dial: (&rough{weather: s.weather, dial: s.server.DialContext}).DialContext}
	s.client = newClient(t, s.server, &adcs.Options{
		Transport: transport, DialContext: s.network.DialContext, Timeout: soakTimeout, MaxFragment: 1432,
	})
	s.patient = newClient(t, s.server, &adcs.Options{Transport: transport, DialContext: s.network.DialContext})
	return s
}

// run submits all the requests.
func (s *soak) run(t *testing.T) {
	var left atomic.Int64
	left.Store(soakRequests)
	if os.Getenv("ADCSKIT_LONG") != "" {
		left.Store(10 * soakRequests)
	}
	var callers sync.WaitGroup
	for range soakCallers {
		callers.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				s.one(t, n)
			}
		})
	}
	callers.Wait()
	s.clear()
}

// one submits a request, some of them while the CA's service is stopped.
func (s *soak) one(t *testing.T, n int64) {
	r, err := newRecord(n)
	if !assert.NoError(t, err) {
		return
	}
	template := []string{"Device", "Device", "Device", "DeviceHeld", "DeviceHeld", "DeviceDenied",
		"Nowhere"}[s.below(7)]
	stopped := s.below(100) == 0
	if stopped {
		s.server.SetInterface(false)
	}
	r.result, r.err = s.client.Submit(t.Context(), adcs.Request{CSR: r.csr, Template: template})
	if stopped {
		s.server.SetInterface(true)
	}
	if errors.Is(r.err, context.DeadlineExceeded) {
		s.open()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

// newRecord makes a request; one in four needs several fragments.
func newRecord(n int64) (*record, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: fmt.Sprintf("pc%d.corp.test", n)}}
	if n%4 == 0 {
		for i := range 80 {
			template.DNSNames = append(template.DNSNames, fmt.Sprintf("name-%d.pc%d.corp.test", i, n))
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	return &record{csr: csr, hash: sha256.Sum256(spki), key: &key.PublicKey}, err
}

// decide has the manager decide about what is held, one way or the other, and retrieves the decision.
func (s *soak) decide(t *testing.T) {
	for i, r := range s.records {
		if r.fate() != fatePending {
			continue
		}
		decide := s.server.Deny
		if i%2 == 0 {
			decide = s.server.Approve
		}
		require.NoError(t, decide(r.result.RequestID))
		decided, err := s.patient.Retrieve(t.Context(), r.result.RequestID)
		if _, forged := errors.AsType[*adcs.AnswerError](err); forged {
			continue // the CA forges what it issues in the end, and the client has noticed: see Forgery.OtherLeaf
		}
		r.result, r.err = decided, err
		assert.NotEqual(t, fatePending, r.fate())
	}
}

// check compares what the client says with the CA's database.
func (s *soak) check(t *testing.T) {
	rows := map[[sha256.Size]byte][]adcstest.RequestInfo{}
	for _, row := range s.server.Requests() {
		rows[row.PublicKeyHash] = append(rows[row.PublicKeyHash], row)
	}
	seen := map[fate]int{}
	executed := 0
	for _, r := range s.records {
		got, of := r.fate(), rows[r.hash]
		seen[got]++
		switch {
		case len(of) > 1:
			t.Errorf("%v: %d rows: submitted more than once", r.err, len(of))
		case len(of) == 1:
			if got == fateUnknown {
				executed++
			}
			s.agree(t, r, &of[0])
		default:
			assert.Contains(t, []fate{fateUnknown, fateNotSent}, got, "the CA has no such request: %v", r.err)
		}
		if r.err != nil {
			checkExplanation(t, adcs.Explain(r.err))
		}
	}
	t.Logf("%v; %d of the unknown ones were executed", seen, executed)
	assert.Positive(t, executed)
	assert.Greater(t, seen[fateUnknown], executed)
	for _, f := range []fate{fateIssued, fateRefused, fateNotSent} {
		assert.Greater(t, seen[f], len(s.records)/100, f)
	}
}

// agree compares one request with its row.
func (s *soak) agree(t *testing.T, r *record, row *adcstest.RequestInfo) {
	switch r.fate() {
	case fateIssued:
		assert.Equal(t, uint32(adcs.Issued), row.Disposition)
		assert.Equal(t, row.ID, r.result.RequestID)
		if !slices.Equal(row.Certificate, r.result.Certificate.Raw) {
			key, ok := r.result.Certificate.PublicKey.(*ecdsa.PublicKey)
			assert.False(t, ok && key.Equal(r.key),
				"neither the certificate that was issued nor one that nobody would take")
		}
	case fateRefused:
		refusal, _ := errors.AsType[*adcs.RequestError](r.err)
		assert.Contains(t, []uint32{uint32(adcs.Failed), uint32(adcs.Denied)}, row.Disposition)
		assert.Equal(t, row.ID, refusal.RequestID)
	case fatePending: // and forged when it was retrieved
		assert.Equal(t, row.ID, r.result.RequestID)
		assert.Equal(t, uint32(adcs.Issued), row.Disposition)
	case fateNotSent:
		t.Errorf("the client says %q of request %d, whose disposition is %d: %v", r.fate(), row.ID, row.Disposition,
			r.err)
	}
}

// settle looks up every request whose outcome is unknown: those that the CA has are found, as they are, and no others.
func (s *soak) settle(t *testing.T) {
	rows := map[[sha256.Size]byte]adcstest.RequestInfo{}
	for _, row := range s.server.Requests() {
		rows[row.PublicKeyHash] = row
	}
	for _, r := range s.records {
		if r.fate() != fateUnknown {
			continue
		}
		unknown, _ := errors.AsType[*adcs.OutcomeUnknownError](r.err)
		require.NotNil(t, unknown, "%v", r.err)
		row, executed := rows[r.hash]
		var found []*adcs.Row
		for _, window := range []time.Duration{300 * time.Millisecond, 3 * time.Second, time.Minute} {
			found = s.lookUp(t, r, unknown.Time, window)
			if !executed || len(found) > 0 {
				break // else it was held up for longer
			}
		}
		if !executed {
			assert.Empty(t, found, "the CA has no such request")
			continue
		}
		if assert.Len(t, found, 1) {
			r.result, r.err = adcs.Settle(found)
			s.settled(t, r, &row)
		}
	}
}

func (s *soak) lookUp(t *testing.T, r *record, when time.Time, window time.Duration) []*adcs.Row {
	rows, err := s.patient.Find(t.Context(), adcs.Lookup{
		Request: r.csr, Requester: `CORP\enroller`, Time: when, Window: window,
	})
	require.NoError(t, err)
	return rows
}

// settled compares what was found with the row.
func (s *soak) settled(t *testing.T, r *record, row *adcstest.RequestInfo) {
	if r.fate() == fatePending { // nobody has decided about this one: it was not known to be held
		assert.Equal(t, uint32(adcs.Pending), row.Disposition)
		assert.Equal(t, row.ID, r.result.RequestID)
		return
	}
	s.agree(t, r, row)
}

// end shows that nothing is left.
func (s *soak) end(t *testing.T) {
	require.NoError(t, s.client.Close())
	require.NoError(t, s.patient.Close())
	assert.Zero(t, s.network.open.Load(), "connections that are left")
	s.server.Close()
	assert.Empty(t, leftGoroutines())
}
