//go:build integration

package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpenSSLUsesOurKeys(t *testing.T) {
	for name, test := range map[string]struct {
		srk, auth string
		algorithm Algorithm
	}{
		"P-256":                           {"", "", P256},
		"P-256 with a value":              {"", "correct horse", P256},
		"P-256 under the persistent key":  {"tcg", "", P256},
		"P-256 under an RSA key":          {"rsa", "battery", P256},
		"P-256, another persistent key":   {"tools", "", P256},
		"RSA":                             {"", "", RSA2048},
		"RSA with a value, persistent":    {"tcg", "staple", RSA2048},
		"RSA under the tools' persistent": {"tools", "", RSA2048},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, test.srk)
			opts := &Options{KeyAuth: []byte(test.auth)}
			var public crypto.PublicKey
			p.ours(opts, func(d *TPM) {
				file, err := d.NewSigner(t.Context(), test.algorithm)
				require.NoError(t, err)
				p.write("key.pem", file)
				signer, err := d.Signer(t.Context(), file)
				require.NoError(t, err)
				public = signer.Public()
				p.opensslVerifies(signer)
			})
			parsed, err := parseTSS2(p.read("key.pem"))
			require.NoError(t, err)
			assert.Equal(t, test.srk == "tcg" || test.srk == "rsa", persistent(parsed.parent))
			p.opensslUses(public, test.auth)
			if test.algorithm == RSA2048 {
				return
			}
			d, err := Open(p.device.Path(), opts)
			require.NoError(t, err)
			defer d.Close()
			file, err := d.NewKeyExchanger(t.Context())
			require.NoError(t, err)
			p.write("key.pem", file)
			exchanger, err := d.KeyExchanger(t.Context(), file)
			require.NoError(t, err)
			p.opensslDerives(exchanger, func() { require.NoError(t, d.Close()) }, test.auth)
		})
	}
}

func TestWeUseKeysOfOpenSSL(t *testing.T) {
	const ec, rsa2048 = "-algorithm EC -pkeyopt group:P-256", "-algorithm RSA -pkeyopt bits:2048"
	const under, value = " -pkeyopt parent:0x81000001", " -pkeyopt user-auth:secret"
	for name, test := range map[string]struct {
		srk, auth, args string
	}{
		"P-256":                                 {"", "", ec},
		"P-256 with a value":                    {"", "secret", ec + value},
		"P-256 under the persistent key":        {"tcg", "", ec + under},
		"P-256 under the tools' persistent":     {"tools", "secret", ec + under + value},
		"P-256 under the owner, a key is there": {"tcg", "", ec},
		"RSA":                                   {"", "", rsa2048},
		"RSA with a value, RSA parent":          {"rsa", "secret", rsa2048 + under + value},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, test.srk)
			p.provided("genpkey", test.args+" -out key.pem")
			file := p.read("key.pem")
			want := p.publicKey(p.provided("pkey", "-in key.pem -pubout", "-passin", "pass:"+test.auth))
			p.weUse(file, want, test.auth)
			if _, isEC := want.(*ecdsa.PublicKey); isEC {
				d, err := Open(p.device.Path(), &Options{KeyAuth: []byte(test.auth)})
				require.NoError(t, err)
				defer d.Close()
				exchanger, err := d.KeyExchanger(t.Context(), file)
				require.NoError(t, err)
				p.opensslDerives(exchanger, func() { require.NoError(t, d.Close()) }, test.auth)
			}
		})
	}
}

func TestWeUseKeysOfTools(t *testing.T) {
	for name, test := range map[string]struct{ srk, algorithm, auth string }{
		"P-256":                         {"tcg", "ecc", ""},
		"P-256 for ECDSA, with a value": {"tcg", "ecc256:ecdsa-sha256", "secret"},
		"P-256 under the tools' parent": {"tools", "ecc:ecdsa", ""},
		"RSA":                           {"tcg", "rsa2048", ""},
		"RSA with a value, RSA parent":  {"rsa", "rsa2048", "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, test.srk)
			create := "tpm2_create -C 0x81000001 -u key.pub -r key.priv -f pem -o public.pem -G " + test.algorithm
			if test.auth != "" {
				create += " -p " + test.auth
			}
			p.tools(create)
			p.weUse(p.encoded(test.auth == ""), p.publicKey(p.read("public.pem")), test.auth)
		})
	}
}

// TestToolsSayTheOpposite takes the files of tpm2_encodeobject with and without its option -p, for keys with and without
// an authorization value, which count wrong ones: one of each two says the opposite of what is true.
func TestToolsSayTheOpposite(t *testing.T) {
	for _, auth := range []string{"", "secret"} {
		p := newPeer(t, "tools")
		create := "tpm2_create -C 0x81000001 -u key.pub -r key.priv -f pem -o public.pem -G ecc256"
		if auth != "" {
			create += " -p " + auth
		}
		p.tools(create)
		want := p.publicKey(p.read("public.pem"))
		hints := map[bool]bool{}
		for _, option := range []string{"", "-p"} {
			p.tools("tpm2_encodeobject -C 0x81000001 -u key.pub -r key.priv -o key.pem " + option)
			file := p.read("key.pem")
			k, err := parseTSS2(file)
			require.NoError(t, err)
			hints[k.emptyAuth] = true
			p.ours(&Options{KeyAuth: []byte(auth)}, func(d *TPM) {
				signer, err := d.Signer(t.Context(), file)
				require.NoError(t, err)
				assert.Equal(t, want, signer.Public())
				for range 5 { // one wrong attempt at most: swtpm locks after three
					p.opensslVerifies(signer)
				}
			})
		}
		require.Len(t, hints, 2)
		if auth == "" {
			continue
		}
		p.ours(nil, func(d *TPM) {
			signer, err := d.Signer(t.Context(), p.read("key.pem"))
			require.NoError(t, err)
			for range 10 {
				_, err = signer.Sign(nil, make([]byte, 32), crypto.SHA256)
				require.ErrorIs(t, err, ErrAuth, "and not that it is locked out")
				require.ErrorContains(t, err, "Options.KeyAuth")
			}
		})
	}
}

func TestToolsUseOurKeys(t *testing.T) {
	for name, test := range map[string]struct {
		srk, auth, kind, scheme string
		algorithm               Algorithm
	}{
		"P-256":                 {"tcg", "", "ecc", "ecdsa", P256},
		"P-256 with a value":    {"tcg", "secret", "ecc", "ecdsa", P256},
		"P-256 under the owner": {"", "", "ecc", "ecdsa", P256},
		"RSA under an RSA key":  {"rsa", "", "rsa", "rsassa", RSA2048},
		"RSA with a value":      {"tcg", "secret", "rsa", "rsassa", RSA2048},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, test.srk)
			var public crypto.PublicKey
			p.ours(&Options{KeyAuth: []byte(test.auth)}, func(d *TPM) {
				file, err := d.NewSigner(t.Context(), test.algorithm)
				require.NoError(t, err)
				p.write("key.pem", file)
				signer, err := d.Signer(t.Context(), file)
				require.NoError(t, err)
				public = signer.Public()
				digest := sha256.Sum256([]byte(interopMessage))
				signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
				require.NoError(t, err)
				p.write("ours.sig", signature)
			})
			p.write("message", []byte(interopMessage))
			p.writePublic("public.pem", public)
			p.tools("tpm2_load -r key.pem -c key.ctx")
			p.tools("tpm2_sign -c key.ctx -g sha256 -f plain -o theirs.sig", "-s", test.scheme, "-p", test.auth, "message")
			p.verify(public, p.read("theirs.sig"))
			p.tools("tpm2_loadexternal -C o -u public.pem -c public.ctx -G " + test.kind)
			p.tools("tpm2_verifysignature -c public.ctx -g sha256 -m message -s ours.sig -f " + test.scheme)
		})
	}
}

// TestLockout guesses the value of a key that counts wrong ones, as OpenSSL's provider makes them, and does what the
// error says.
func TestLockout(t *testing.T) {
	p := newPeer(t, "")
	p.provided("genpkey", "-algorithm EC -pkeyopt group:P-256 -pkeyopt user-auth:right -out key.pem")
	signWith := func(auth string) (err error) {
		p.ours(&Options{KeyAuth: []byte(auth)}, func(d *TPM) {
			var signer *Signer
			if signer, err = d.Signer(t.Context(), p.read("key.pem")); err == nil {
				err = sign(signer)
			}
		})
		return err
	}
	require.NoError(t, signWith("right"))
	for range 50 {
		err := signWith("wrong")
		if errors.Is(err, ErrLockout) {
			break
		}
		require.ErrorIs(t, err, ErrAuth)
	}
	err := signWith("right")
	require.ErrorIs(t, err, ErrLockout)
	require.ErrorContains(t, err, "tpm2_dictionarylockout --clear-lockout")
	p.run("tpm2_dictionarylockout --clear-lockout")
	require.NoError(t, signWith("right"))
	p.ours(&Options{KeyAuth: []byte("right")}, func(d *TPM) {
		file, err := d.NewSigner(t.Context(), P256)
		require.NoError(t, err)
		p.write("key.pem", file)
	})
	for range 50 {
		require.ErrorIs(t, signWith("wrong"), ErrAuth, "keys of ours count nothing")
	}
	require.NoError(t, signWith("right"))
}
