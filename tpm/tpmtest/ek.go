package tpmtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/require"
)

// EK is an endorsement key of the TCG's default templates, in the low range of NV indexes (TCG EK Credential Profile
// for TPM Family 2.0, section 2.2.1.4 and annex B).
type EK int

// The endorsement keys that have certificates in a TPM.
const (
	ECC EK = iota // P-256, template L-2
	RSA           // 2048 bits, template L-1
)

// Kind is a kind of certificate that the endorsement keys of a TPM have.
type Kind int

const (
	// Valid is a certificate as it should be.
	Valid Kind = iota
	// None is a TPM without certificates, as many virtual ones are.
	None
	// Expired is a certificate whose time is over.
	Expired
	// OtherKey is a certificate of another TPM's endorsement key.
	OtherKey
)

// Index is the NV index of the key's certificate.
func (e EK) Index() tpm2.TPMHandle {
	if e == RSA {
		return 0x01c00002
	}
	return 0x01c0000a
}

// Template is the public area that the key is made from.
func (e EK) Template() tpm2.TPMTPublic {
	if e == RSA {
		return tpm2.RSAEKTemplate
	}
	return tpm2.ECCEKTemplate
}

// furnish does what the manufacturer does before a TPM is sold.
func (d *TPM) furnish() {
	d.tb.Helper()
	eks := d.options.EKs
	if eks == nil {
		eks = []EK{ECC}
	}
	if d.options.Certificate == None {
		return
	}
	for _, ek := range slices.Compact(slices.Sorted(slices.Values(eks))) {
		key, notAfter := d.EKPublic(ek), d.manufacturer.notAfterCA
		switch d.options.Certificate {
		case Expired:
			notAfter = time.Now().Add(-time.Minute)
		case OtherKey:
			key = d.otherKey(ek)
		}
		d.SetCertificate(ek, d.manufacturer.Issue(key, notAfter))
	}
}

func (d *TPM) otherKey(ek EK) crypto.PublicKey {
	if ek != RSA {
		return newKey(d.tb).Public()
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(d.tb, err)
	return key.Public()
}

// EKPublic makes the endorsement key in the TPM and returns its public half. Close all connections to the TPM first.
func (d *TPM) EKPublic(ek EK) crypto.PublicKey {
	d.tb.Helper()
	var key crypto.PublicKey
	d.Do(func(t transport.TPM) {
		made, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(ek.Template()),
		}.Execute(t)
		require.NoError(d.tb, err, "tpmtest: endorsement key")
		_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(t)
		require.NoError(d.tb, err)
		area, err := made.OutPublic.Contents()
		require.NoError(d.tb, err)
		key, err = tpm2.Pub(*area)
		require.NoError(d.tb, err)
	})
	return key
}

// SetCertificate puts a certificate of an endorsement key where the profile says (EK.Index), in place of the one that
// may be there; nil only removes it. The index is the platform's, everybody may read it and nobody write it any more
// (TCG PC Client Platform TPM Profile, "NV Index attributes"; swtpm_setup does the same). Close all connections first.
func (d *TPM) SetCertificate(ek EK, der []byte) {
	d.tb.Helper()
	d.Do(func(t transport.TPM) {
		if old, err := (tpm2.NVReadPublic{NVIndex: ek.Index()}).Execute(t); err == nil {
			index := tpm2.NamedHandle{Handle: ek.Index(), Name: old.NVName}
			_, err = tpm2.NVUndefineSpace{AuthHandle: tpm2.TPMRHPlatform, NVIndex: index}.Execute(t)
			require.NoError(d.tb, err, "tpmtest: removal of a certificate")
		}
		if der != nil {
			require.NoError(d.tb, writeIndex(t, ek.Index(), der), "tpmtest: certificate of an endorsement key")
		}
	})
}

// nvChunk is what is written at once; the TPM takes 1024 bytes and more (TPM_PT_NV_BUFFER_MAX).
const nvChunk = 768

func writeIndex(t transport.TPM, index tpm2.TPMHandle, data []byte) error {
	area := tpm2.TPMSNVPublic{
		NVIndex: index,
		NameAlg: tpm2.TPMAlgSHA256,
		Attributes: tpm2.TPMANV{
			PPWrite: true, WriteDefine: true, PPRead: true, OwnerRead: true, AuthRead: true, NoDA: true,
			PlatformCreate: true, NT: tpm2.TPMNTOrdinary,
		},
		DataSize: uint16(len(data)),
	}
	define := tpm2.NVDefineSpace{AuthHandle: tpm2.TPMRHPlatform, PublicInfo: tpm2.New2B(area)}
	if _, err := define.Execute(t); err != nil {
		return err
	}
	for from := 0; from < len(data); from += nvChunk {
		handle, err := named(t, index)
		if err != nil {
			return err
		}
		part := data[from:min(from+nvChunk, len(data))]
		write := tpm2.NVWrite{
			AuthHandle: tpm2.TPMRHPlatform, NVIndex: handle,
			Data: tpm2.TPM2BMaxNVBuffer{Buffer: part}, Offset: uint16(from),
		}
		if _, err := write.Execute(t); err != nil {
			return err
		}
	}
	handle, err := named(t, index)
	if err != nil {
		return err
	}
	_, err = tpm2.NVWriteLock{AuthHandle: tpm2.TPMRHPlatform, NVIndex: handle}.Execute(t)
	return err
}

// named returns an index with its name, which changes with the first write.
func named(t transport.TPM, index tpm2.TPMHandle) (tpm2.NamedHandle, error) {
	read, err := tpm2.NVReadPublic{NVIndex: index}.Execute(t)
	if err != nil {
		return tpm2.NamedHandle{}, err
	}
	return tpm2.NamedHandle{Handle: index, Name: read.NVName}, nil
}
