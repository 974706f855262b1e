package issuer_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// drawer holds keys, and remembers what was asked of it.
type drawer struct {
	mu    sync.Mutex
	keys  map[keygen.Algorithm]crypto.Signer
	asked []keygen.Algorithm
}

var errEmpty = errors.New("the drawer is empty")

func (d *drawer) Get(ctx context.Context, alg keygen.Algorithm) (crypto.Signer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, alg)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	key := d.keys[alg]
	delete(d.keys, alg)
	if key == nil {
		return nil, errEmpty
	}
	return key, nil
}

// TestKeysComeFromTheirSource, once an order has been found to be one that can be delivered.
func TestKeysComeFromTheirSource(t *testing.T) {
	key, err := keygen.Generate(keygen.ECDSAP256)
	require.NoError(t, err)
	d := &drawer{keys: map[keygen.Algorithm]crypto.Signer{keygen.ECDSAP256: key}}
	i := unreachable(t)
	i.Keys = d
	for _, spoil := range []func(*connector.Order){
		func(o *connector.Order) { o.Key = "p224" },
		func(o *connector.Order) { o.Profile = "unheard-of" },
		func(o *connector.Order) { o.Password = "" },
	} {
		o := order()
		spoil(o)
		_, err := i.Prepare(t.Context(), o)
		assert.Error(t, err)
	}
	assert.Empty(t, d.asked)

	prepared, err := i.Prepare(t.Context(), order())
	require.NoError(t, err)
	assert.True(t, prepared.Key == key)
	csr, err := x509.ParseCertificateRequest(prepared.Request)
	require.NoError(t, err)
	assert.Equal(t, key.Public(), csr.PublicKey)

	_, err = i.Prepare(t.Context(), order())
	assert.ErrorIs(t, err, errEmpty)
	cause := errors.New("cancelled")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err = i.Prepare(ctx, order())
	assert.ErrorIs(t, err, cause)
}

// TestKeysThatComeToNothingAreWiped: a name that no request can hold is found when the key has been taken.
func TestKeysThatComeToNothingAreWiped(t *testing.T) {
	key, err := keygen.Generate(keygen.ECDSAP256)
	require.NoError(t, err)
	before, err := keygen.MarshalPrivateKey(key)
	require.NoError(t, err)
	i := unreachable(t)
	i.Keys = &drawer{keys: map[keygen.Algorithm]crypto.Signer{keygen.ECDSAP256: key}}
	o := order()
	o.Subject = `CN=a\00b`
	_, err = i.Prepare(t.Context(), o)
	rejection, ok := errors.AsType[*connector.Rejection](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, wsproto.ReasonOrderInvalid, rejection.Reason)
	after, err := keygen.MarshalPrivateKey(key)
	assert.True(t, err != nil || string(after) != string(before), "the secret is gone")
}

// TestPathTakesKeysFromAPool: what is delivered has keys that were ready, each of them once.
func TestPathTakesKeysFromAPool(t *testing.T) {
	pool, err := keygen.NewPool(keygen.PoolConfig{Ready: map[keygen.Algorithm]int{keygen.ECDSAP256: 4}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	ca, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	p := &path{ca: ca, served: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}}
	p.changeConnector = func(c *connector.Config, _ *x509.CertPool) { c.Issuer.(*issuer.Issuer).Keys = pool }
	p.startConnector(t, p.startGateway(t), 2, ca.User().Password)
	p.run(t, pool.Run)
	require.Eventually(t, func() bool { return pool.Stats()[keygen.ECDSAP256].Ready == 4 }, 30*time.Second, 5*time.Millisecond)

	seen := map[string]bool{}
	for range 6 {
		o := p.outcome(t, nil)
		require.Equal(t, wsproto.Issued, o.Kind, "%s %s", o.Reason, o.Message)
		key, certs, err := pkcs12.Decode(o.PKCS12, p.device("").Password)
		require.NoError(t, err)
		assert.Equal(t, key.Public(), certs[0].PublicKey)
		seen[string(certs[0].RawSubjectPublicKeyInfo)] = true
	}
	assert.Len(t, seen, 6)
	assert.Equal(t, uint64(6), pool.Stats()[keygen.ECDSAP256].Taken)
}
