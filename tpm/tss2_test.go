package tpm

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreignKeys are key files that other programs made (testdata/tss2/README.md).
func foreignKeys(tb testing.TB) map[string][]byte {
	tb.Helper()
	names, err := filepath.Glob("testdata/tss2/*.pem")
	require.NoError(tb, err)
	require.Len(tb, names, 5)
	keys := map[string][]byte{}
	for _, name := range names {
		keys[strings.TrimSuffix(filepath.Base(name), ".pem")], err = os.ReadFile(name)
		require.NoError(tb, err)
	}
	return keys
}

func TestForeignKeyFiles(t *testing.T) {
	for name, want := range map[string]struct {
		emptyAuth bool
		parent    tpm2.TPMHandle
		kind      tpm2.TPMAlgID
	}{
		"openssl-ec":            {true, tpm2.TPMRHOwner, tpm2.TPMAlgECC},
		"openssl-ec-auth":       {false, tpm2.TPMRHOwner, tpm2.TPMAlgECC},
		"openssl-ec-persistent": {true, 0x81000001, tpm2.TPMAlgECC},
		"openssl-rsa":           {true, tpm2.TPMRHOwner, tpm2.TPMAlgRSA},
		"tpm2-encodeobject":     {false, 0x81000001, tpm2.TPMAlgECC},
	} {
		t.Run(name, func(t *testing.T) {
			file := foreignKeys(t)[name]
			k, err := parseTSS2(file)
			require.NoError(t, err)
			assert.Equal(t, want.emptyAuth, k.emptyAuth)
			assert.Equal(t, want.parent, k.parent)
			assert.Equal(t, want.kind, k.public.Type)
			assert.False(t, k.rsaParent)
			assert.NotEmpty(t, k.private.Buffer)
			roundTrip(t, k)
			block, _ := pem.Decode(file)
			// Ours is theirs with DER's true.
			der := bytes.Replace(block.Bytes, []byte{0xa0, 3, 1, 1, 1}, []byte{0xa0, 3, 1, 1, 0xff}, 1)
			ours, _ := pem.Decode(marshalTSS2(k))
			assert.Equal(t, hex.EncodeToString(der), hex.EncodeToString(ours.Bytes))
		})
	}
}

func roundTrip(t *testing.T, k *tss2Key) {
	t.Helper()
	file := marshalTSS2(k)
	again, err := parseTSS2(file)
	require.NoError(t, err)
	assert.Equal(t, k, again)
	assert.Equal(t, string(file), string(marshalTSS2(again)))
	assert.True(t, bytes.HasPrefix(file, []byte("-----BEGIN TSS2 PRIVATE KEY-----\n")))
	assert.True(t, bytes.HasSuffix(file, []byte("-----END TSS2 PRIVATE KEY-----\n")))
}

func TestKeyFileMembers(t *testing.T) {
	k, err := parseTSS2(foreignKeys(t)["openssl-ec"])
	require.NoError(t, err)
	for _, change := range []func(){
		func() {}, func() { k.description = "identity, Zürich" }, func() { k.rsaParent = true },
		func() { k.emptyAuth = false }, func() { k.parent = 0x81ffffff },
		func() { k.description = strings.Repeat("x", maxTSS2Description) },
	} {
		change()
		roundTrip(t, k)
	}
}

// tlv is a DER element of up to 255 octets in its short or long form.
func tlv(tag byte, content ...[]byte) []byte {
	c := bytes.Join(content, nil)
	switch {
	case len(c) < 128:
		return append([]byte{tag, byte(len(c))}, c...)
	case len(c) < 256:
		return append([]byte{tag, 0x81, byte(len(c))}, c...)
	}
	return append([]byte{tag, 0x82, byte(len(c) >> 8), byte(len(c))}, c...)
}

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: tss2Type, Bytes: der}) }

// parts are the elements of a good file, which the tests change.
type parts struct{ oid, optional, parent, public, private, after []byte }

func goodParts(t *testing.T) parts {
	t.Helper()
	k, err := parseTSS2(foreignKeys(t)["openssl-ec"])
	require.NoError(t, err)
	return parts{
		oid: unhex("06066781050a0103"), optional: unhex("a0030101ff"), parent: unhex("020440000001"),
		public: tlv(4, tpm2.Marshal(tpm2.New2B(*k.public))), private: tlv(4, tpm2.Marshal(k.private)),
	}
}

func (p parts) file() []byte {
	return pemOf(tlv(0x30, p.oid, p.optional, p.parent, p.public, p.private, p.after))
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	_, err := parseTSS2(goodParts(t).file())
	require.NoError(t, err)
	longText := make([]byte, maxTSS2Description+1)
	for name, test := range map[string]struct {
		change func(*parts)
		want   string
	}{
		"importable":        {func(p *parts) { p.oid = unhex("06066781050a0104") }, "importable"},
		"sealed":            {func(p *parts) { p.oid = unhex("06066781050a0105") }, "sealed data"},
		"first version":     {func(p *parts) { p.oid = unhex("06056781050a02") }, "first version"},
		"unknown type":      {func(p *parts) { p.oid = unhex("06066781050a0106") }, "unknown type"},
		"no type":           {func(p *parts) { p.oid = nil }, "no TPMKey"},
		"boolean of 2":      {func(p *parts) { p.optional = unhex("a003010102") }, "not of its type"},
		"boolean of none":   {func(p *parts) { p.optional = unhex("a0020100") }, "not of its type"},
		"more in a member":  {func(p *parts) { p.optional = unhex("a0060101ff0101ff") }, "not of its type"},
		"policy":            {func(p *parts) { p.optional = unhex("a1023000") }, "authorization policy"},
		"secret":            {func(p *parts) { p.optional = unhex("a20404020000") }, "secret"},
		"authPolicy":        {func(p *parts) { p.optional = unhex("a3023000") }, "authorization policy"},
		"bad text":          {func(p *parts) { p.optional = unhex("a4030c01ff") }, "not of its type"},
		"text of bytes":     {func(p *parts) { p.optional = unhex("a403040141") }, "not of its type"},
		"long text":         {func(p *parts) { p.optional = tlv(0xa4, tlv(0x0c, longText)) }, "not of its type"},
		"unknown member":    {func(p *parts) { p.optional = unhex("a6030101ff") }, "missing, unknown or"},
		"wrong order":       {func(p *parts) { p.optional = unhex("a5030101ffa0030101ff") }, "missing, unknown or"},
		"member twice":      {func(p *parts) { p.optional = unhex("a0030101ffa0030101ff") }, "missing, unknown or"},
		"negative parent":   {func(p *parts) { p.parent = unhex("020481000001") }, "missing, unknown or"},
		"parent too large":  {func(p *parts) { p.parent = unhex("02050140000001") }, "neither a persistent handle"},
		"transient parent":  {func(p *parts) { p.parent = unhex("02050080000000") }, "neither a persistent handle"},
		"other hierarchy":   {func(p *parts) { p.parent = unhex("02044000000b") }, "another hierarchy"},
		"no parent":         {func(p *parts) { p.parent = nil }, "missing, unknown or"},
		"no private area":   {func(p *parts) { p.private = nil }, "missing, unknown or"},
		"empty private":     {func(p *parts) { p.private = unhex("04020000") }, "private area"},
		"short private":     {func(p *parts) { p.private = unhex("040400040101") }, "private area"},
		"large private":     {func(p *parts) { p.private = tlv(4, unhex("0c00"), make([]byte, 0x0c00)) }, "private area"},
		"more after":        {func(p *parts) { p.after = unhex("0500") }, "missing, unknown or"},
		"short public":      {func(p *parts) { p.public = p.public[:2+40] }, "missing, unknown or"},
		"more in public":    {func(p *parts) { p.public = tlv(4, p.public[2:], []byte{0}) }, "public area has not"},
		"more in private":   {func(p *parts) { p.private = tlv(4, p.private[3:], []byte{0}) }, "private area has not"},
		"wrong length":      {func(p *parts) { p.public[3]++ }, "public area"},
		"keyed hash":        {func(p *parts) { p.public[5] = 8 }, "not one of an RSA or EC key"},
		"needs a policy":    {func(p *parts) { p.public[11] &^= 1 << 6 }, "authorization policy"},
		"name algorithm":    {func(p *parts) { p.public[7] = 0xff }, "no name"},
		"long form of type": {func(p *parts) { p.oid = unhex("0681066781050a0103") }, "no TPMKey"},
	} {
		t.Run(name, func(t *testing.T) {
			p := goodParts(t)
			test.change(&p)
			_, err := parseTSS2(p.file())
			require.ErrorIs(t, err, ErrKeyFile)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestKeyFilesThatAreNoPEM(t *testing.T) {
	good := string(goodParts(t).file())
	for name, test := range map[string]struct{ file, want string }{
		"empty":         {"", "not one PEM block"},
		"DER":           {string(goodParts(t).oid), "not one PEM block"},
		"text before":   {"x\n" + good, "not one PEM block"},
		"text after":    {good + "x", "more than one PEM block"},
		"two":           {good + good, "more than one PEM block"},
		"headers":       {strings.Replace(good, "KEY-----\n", "KEY-----\nProc-Type: 4\n\n", 1), "more than one PEM block"},
		"software key":  {strings.ReplaceAll(good, "TSS2 PRIVATE KEY", "EC PRIVATE KEY"), "not in a TPM"},
		"certificate":   {strings.ReplaceAll(good, "TSS2 PRIVATE KEY", "CERTIFICATE"), "not of the type"},
		"first version": {strings.ReplaceAll(good, "TSS2 PRIVATE KEY", "TSS2 KEY BLOB"), "first version"},
		"cut off":       {good[:len(good)-20], "not one PEM block"},
		"huge":          {good + strings.Repeat("\n", maxTSS2), "more than"},
		"no content":    {string(pemOf(nil)), "no TPMKey"},
		"more content":  {string(pemOf(append(tlv(0x30, goodParts(t).oid), 0))), "no TPMKey"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseTSS2([]byte(test.file))
			require.ErrorIs(t, err, ErrKeyFile)
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := parseTSS2([]byte("\r\n " + strings.ReplaceAll(good, "\n", "\r\n") + "\n\n"))
	require.NoError(t, err, "white space and the line ends of other systems")
}

func FuzzTSS2(f *testing.F) {
	for _, file := range foreignKeys(f) {
		block, _ := pem.Decode(file)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		k, err := parseTSS2(pemOf(der))
		if err != nil {
			require.ErrorIs(t, err, ErrKeyFile)
			return
		}
		again, err := parseTSS2(marshalTSS2(k))
		require.NoError(t, err)
		require.Equal(t, k, again)
	})
}

func FuzzTSS2PEM(f *testing.F) {
	for _, file := range foreignKeys(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if k, err := parseTSS2(file); err == nil {
			roundTrip(t, k)
		}
	})
}
