package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/wsproto"
)

// TestKeyPool has keys made ahead, which orders take and the log tells of; without the configuration it does not.
func TestKeyPool(t *testing.T) {
	s := newSite(t)
	for _, ready := range []map[string]int{nil, {"p256": 3}} {
		var log safeBuffer
		s.config.KeyPool.Ready = ready
		stop := s.run(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			o := s.order()
			require.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
		}
		require.NoError(t, stop())
		if ready == nil {
			assert.NotContains(t, log.String(), "key pool")
			continue
		}
		assert.Regexp(t, `msg="key pool" key=p256 ready=[0-3] made=[2-5] taken=2 waited=0 meanWait=0s waiting=0 failed=0\n$`, log.String())
	}
}

// TestKeyPoolIsWiped when the connector ends, and tells its figures every hour until then.
func TestKeyPoolIsWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &config{KeyPool: keyPoolConfig{Ready: map[string]int{"p256": 2, "p384": 0}}}
		pool, err := c.keyPool()
		require.NoError(t, err)
		var log safeBuffer
		s := &service{config: c, pool: pool, log: slog.New(slog.NewTextHandler(&log, nil))}
		stop := s.makeKeys(t.Context())
		synctest.Wait()
		assert.Equal(t, 2, pool.Stats()[keygen.ECDSAP256].Ready)
		time.Sleep(3*time.Hour + time.Minute)
		synctest.Wait()
		assert.Equal(t, 3, bytes.Count([]byte(log.String()), []byte(`msg="key pool" key=p256 ready=2 made=2 taken=0`)), log.String())
		assert.NotContains(t, log.String(), "p384")
		stop()
		assert.Zero(t, pool.Stats()[keygen.ECDSAP256].Ready)
		_, err = pool.Get(context.Background(), keygen.ECDSAP256)
		assert.Error(t, err)
	})
}

func TestKeyPoolIsChecked(t *testing.T) {
	s := newSite(t)
	check := func(k keyPoolConfig) (string, error) {
		s.config.KeyPool = k
		raw, err := json.Marshal(s.config)
		require.NoError(t, err)
		s.write("connector.json", raw)
		var out bytes.Buffer
		err = run(t.Context(), []string{"-config", filepath.Join(s.folder, "connector.json"), "check"}, &out, slog.New(slog.DiscardHandler))
		return out.String(), err
	}
	for want, bad := range map[string]keyPoolConfig{
		`keyPool: keygen: unsupported key algorithm: "RSA2048"`: {Ready: map[string]int{"RSA2048": 1}},
		"0 to 4096 keys of the algorithm p256 ready, not 5000":  {Ready: map[string]int{"p256": 5000}},
		"keyPool: keygen: a pool cannot":                        {Workers: -1},
	} {
		_, err := check(bad)
		assert.ErrorContains(t, err, want)
	}
	out, err := check(keyPoolConfig{Workers: 1})
	require.NoError(t, err)
	assert.Contains(t, out, "  key pool: none made ahead\n")
	assert.NotContains(t, out, "keyPool")
	s.config.Policy.Keys = []string{"P256"}
	out, err = check(keyPoolConfig{Ready: map[string]int{"p256": 2, "rsa2048": 16, "rsa4096": 0}})
	require.NoError(t, err)
	assert.Contains(t, out, "  key pool: 16 rsa2048, 2 p256 made ahead\n")
	assert.Contains(t, out, "warning: keyPool.ready: rsa2048 is not in policy.keys: its keys are never used\n")
	assert.NotContains(t, out, "p256 is not")
}
