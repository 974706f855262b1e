package tpm

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"unicode/utf8"

	stdasn1 "encoding/asn1"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	// ErrKeyFile is matched by errors about a key file that is damaged, or of a kind that cannot be used here. The text
	// says which.
	ErrKeyFile = errors.New("tpm: not a file of a key that can be loaded")

	errNeedsPolicy = fmt.Errorf("%w: it needs an authorization policy; only an authorization value is supported",
		ErrKeyFile)
)

// tss2Key is what a key file holds: TPMKey of draft-bottomley-tpm2-keys, section 3.1, of the type that TPM2_Load loads.
type tss2Key struct {
	// emptyAuth says that the key has no authorization value. tpm2_encodeobject of tpm2-tools 5.4 writes the opposite of
	// what it means, so it is a hint: conn.with tells what follows.
	emptyAuth   bool
	description string
	// rsaParent: under a hierarchy, the parent is made of the RSA template instead of the ECC one.
	rsaParent bool
	// parent is a persistent handle, or a hierarchy whose primary storage key is the parent.
	parent  tpm2.TPMHandle
	public  *tpm2.TPMTPublic
	private tpm2.TPM2BPrivate
}

const (
	tss2Type           = "TSS2 PRIVATE KEY"
	maxTSS2            = 16 << 10 // octets of the PEM; RSA with 4096 bits has less than 3 KiB
	maxTSS2Private     = 2 << 10
	maxTSS2Description = 1 << 10
)

// Object identifiers of the types of keys (section 3.1), and of the format's first version, which had another form.
var (
	oidLoadable    = stdasn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}
	oidImportable  = stdasn1.ObjectIdentifier{2, 23, 133, 10, 1, 4}
	oidSealed      = stdasn1.ObjectIdentifier{2, 23, 133, 10, 1, 5}
	oidOldLoadable = stdasn1.ObjectIdentifier{2, 23, 133, 10, 2}
)

func errTSS2(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrKeyFile, fmt.Errorf(format, args...))
}

// marshalTSS2 writes a key file. The same key gives the same octets.
func marshalTSS2(k *tss2Key) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidLoadable)
		// Also where it is false and could be left out: OpenSSL's provider 1.1.1 takes what is missing for true.
		addExplicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1Boolean(k.emptyAuth) })
		if k.description != "" {
			addExplicit(b, 4, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(k.description)) })
			})
		}
		if k.rsaParent {
			addExplicit(b, 5, func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) })
		}
		b.AddASN1Uint64(uint64(k.parent))
		b.AddASN1OctetString(tpm2.Marshal(tpm2.New2B(*k.public)))
		b.AddASN1OctetString(tpm2.Marshal(k.private))
	})
	return pem.EncodeToMemory(&pem.Block{Type: tss2Type, Bytes: b.BytesOrPanic()})
}

func addExplicit(b *cryptobyte.Builder, tag uint8, content func(*cryptobyte.Builder)) {
	b.AddASN1(asn1.Tag(tag).ContextSpecific().Constructed(), content)
}

// parseTSS2 reads a key file: one PEM block and nothing else but white space. Errors match ErrKeyFile.
func parseTSS2(file []byte) (*tss2Key, error) {
	der, err := unwrapTSS2(file)
	if err != nil {
		return nil, err
	}
	outer := cryptobyte.String(der)
	var s cryptobyte.String
	var kind stdasn1.ObjectIdentifier
	if !outer.ReadASN1(&s, asn1.SEQUENCE) || !outer.Empty() || !s.ReadASN1ObjectIdentifier(&kind) {
		return nil, errTSS2("the PEM block holds no TPMKey")
	}
	if err := loadable(kind); err != nil {
		return nil, err
	}
	var k tss2Key
	if err := k.readOptional(&s); err != nil {
		return nil, err
	}
	if err := k.readRest(&s); err != nil {
		return nil, err
	}
	return &k, nil
}

// unwrapTSS2 returns the content of the PEM block.
func unwrapTSS2(file []byte) ([]byte, error) {
	if len(file) > maxTSS2 {
		return nil, errTSS2("it has %d octets, more than %d", len(file), maxTSS2)
	}
	file = bytes.TrimSpace(file)
	block, rest := pem.Decode(file)
	switch {
	case block == nil || !bytes.HasPrefix(file, []byte("-----BEGIN "+block.Type)):
		return nil, errTSS2("it is not one PEM block of the type %s", tss2Type)
	case block.Type == "TSS2 KEY BLOB":
		return nil, errTSS2("it is of the format's first version, TSS2 KEY BLOB: make a new key")
	case block.Type != tss2Type && bytes.HasSuffix([]byte(block.Type), []byte("PRIVATE KEY")):
		return nil, errTSS2("it holds a private key that is not in a TPM")
	case block.Type != tss2Type:
		return nil, errTSS2("its PEM block is not of the type %s", tss2Type)
	case len(block.Headers) > 0 || len(rest) > 0:
		return nil, errTSS2("there is more than one PEM block without headers")
	}
	return block.Bytes, nil
}

func loadable(kind stdasn1.ObjectIdentifier) error {
	switch {
	case kind.Equal(oidLoadable):
		return nil
	case kind.Equal(oidImportable):
		return errTSS2("the key is importable: it was made outside of the TPM. Make one in the TPM")
	case kind.Equal(oidSealed):
		return errTSS2("it holds sealed data, no key")
	case kind.Equal(oidOldLoadable):
		return errTSS2("it is of the format's first version: make a new key")
	}
	return errTSS2("the key is of an unknown type")
}

// readOptional reads the members that have tags.
func (k *tss2Key) readOptional(s *cryptobyte.String) error {
	present, ok := [6]bool{}, true
	for tag := range present {
		var content cryptobyte.String
		ok = ok && s.ReadOptionalASN1(&content, &present[tag], asn1.Tag(tag).ContextSpecific().Constructed())
		if !ok || !present[tag] {
			continue
		}
		switch tag {
		case 0:
			ok = readBoolean(&content, &k.emptyAuth)
		case 4:
			ok = readText(&content, &k.description)
		case 5:
			ok = readBoolean(&content, &k.rsaParent)
		}
	}
	switch {
	case !ok:
		return errTSS2("a member with a tag is not of its type")
	case present[1], present[3]:
		return errNeedsPolicy
	case present[2]:
		return errTSS2("a key that can be loaded has no secret for its import")
	}
	return nil
}

// readBoolean takes 1 for true, as OpenSSL's provider and tpm2_encodeobject write it, besides DER's 255.
func readBoolean(s *cryptobyte.String, out *bool) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.BOOLEAN) || !s.Empty() || len(content) != 1 {
		return false
	}
	*out = content[0] != 0
	return content[0] == 0 || content[0] == 1 || content[0] == 0xff
}

func readText(s *cryptobyte.String, out *string) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.UTF8String) || !s.Empty() || len(content) > maxTSS2Description {
		return false
	}
	*out = string(content)
	return utf8.Valid(content)
}

// readRest reads parent, public and private area.
func (k *tss2Key) readRest(s *cryptobyte.String) error {
	var parent uint64
	var public, private cryptobyte.String
	ok := s.ReadASN1Integer(&parent) && s.ReadASN1(&public, asn1.OCTET_STRING) && s.ReadASN1(&private, asn1.OCTET_STRING)
	if !ok || !s.Empty() {
		return errTSS2("a member is missing, unknown or not of its type")
	}
	var area, secret []byte
	if !readSized(&public, &area, maxKeyArea) || !public.Empty() {
		return errTSS2("the public area has not the length that it says")
	}
	if !readSized(&private, &secret, maxTSS2Private) || !private.Empty() || len(secret) == 0 {
		return errTSS2("the private area has not the length that it says")
	}
	if err := k.readParent(parent); err != nil {
		return err
	}
	k.private = tpm2.TPM2BPrivate{Buffer: bytes.Clone(secret)}
	return k.readPublic(area)
}

// readParent takes 0 for the owner's hierarchy, as OpenSSL's provider does.
func (k *tss2Key) readParent(parent uint64) error {
	if parent == 0 {
		parent = uint64(tpm2.TPMRHOwner)
	}
	k.parent = tpm2.TPMHandle(parent)
	switch {
	case parent>>32 == 0 && (persistent(k.parent) || k.parent == tpm2.TPMRHOwner):
		return nil
	case parent == uint64(tpm2.TPMRHEndorsement), parent == uint64(tpm2.TPMRHPlatform), parent == uint64(tpm2.TPMRHNull):
		return errTSS2("the parent of the key is in another hierarchy than the owner's")
	}
	return errTSS2("the parent %#x of the key is neither a persistent handle nor the owner's hierarchy", parent)
}

func (k *tss2Key) readPublic(area []byte) error {
	checked, err := parseKeyArea(area)
	switch {
	case err != nil:
		return errTSS2("the public area is not one of an RSA or EC key")
	case checked.attributes&bitUserWithAuth == 0:
		return errNeedsPolicy
	}
	k.public, err = tpm2.Unmarshal[tpm2.TPMTPublic](area)
	if err != nil || !bytes.Equal(tpm2.Marshal(*k.public), area) {
		return errTSS2("the public area is not one of an RSA or EC key")
	}
	if _, err := tpm2.ObjectName(k.public); err != nil {
		return errTSS2("the public area has no name: %w", err)
	}
	return nil
}
