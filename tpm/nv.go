package tpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2"
)

const (
	maxIndex     = 16 << 10 // bytes that are read of one NV index
	nvChunk      = 1024     // bytes that are read at once at most
	nvChunkSmall = 512      // if the TPM does not say how much it gives
)

// readIndex reads an NV index that everybody may read, or the owner. An index that does not exist, was never written,
// is empty, oversized or not readable is none: what is read here only adds to what the TPM proves by itself.
func (c *conn) readIndex(index tpm2.TPMHandle) ([]byte, error) {
	info, err := run(c, tpm2.NVReadPublic{NVIndex: index})
	if err != nil {
		return nil, unlessRefused(err)
	}
	public, err := info.NVPublic.Contents()
	if err != nil || public.DataSize > maxIndex || !public.Attributes.Written {
		return nil, nil
	}
	var auth tpm2.AuthHandle
	switch {
	case public.Attributes.AuthRead && (public.Attributes.NoDA || public.Attributes.PlatformCreate):
		// A manufacturer's index has no authorization value; with another one's that has, an attempt would count.
		auth = tpm2.AuthHandle{Handle: index, Name: info.NVName, Auth: tpm2.PasswordAuth(nil)}
	case public.Attributes.OwnerRead:
		if auth, err = c.ownerAuth(); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	chunk, err := c.nvBuffer()
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, public.DataSize)
	for len(data) < int(public.DataSize) {
		size := min(chunk, int(public.DataSize)-len(data))
		part, err := run(c, tpm2.NVRead{
			AuthHandle: auth, NVIndex: tpm2.NamedHandle{Handle: index, Name: info.NVName},
			Size: uint16(size), Offset: uint16(len(data)),
		})
		if err != nil {
			return nil, unlessRefused(err)
		}
		if len(part.Data.Buffer) == 0 || len(part.Data.Buffer) > size {
			return nil, c.malformed(errors.New("the TPM reads another number of octets than it was asked for"))
		}
		data = append(data, part.Data.Buffer...)
	}
	return data, nil
}

// nvBuffer is how many bytes the TPM reads at once (TPM_PT_NV_BUFFER_MAX).
func (c *conn) nvBuffer() (int, error) {
	response, err := run(c, tpm2.GetCapability{
		Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTNVBufferMax), PropertyCount: 1,
	})
	if err != nil {
		return 0, err
	}
	properties, err := response.CapabilityData.Data.TPMProperties()
	if err != nil || len(properties.TPMProperty) == 0 || properties.TPMProperty[0].Property != tpm2.TPMPTNVBufferMax {
		return nvChunkSmall, nil
	}
	value := properties.TPMProperty[0].Value
	if value == 0 {
		return nvChunkSmall, nil
	}
	return int(min(value, nvChunk)), nil
}

// unlessRefused keeps an error unless it is the TPM's answer that it does not do this. An answer that is about the
// moment says nothing of that kind: a TPM that is busy or full, or has forgotten a session, still has its
// certificate.
func unlessRefused(err error) error {
	var code tpm2.TPMRC
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrMemory), errors.Is(err, ErrFailure):
	case errors.As(err, &code) && !unloaded(code):
		return nil
	}
	return err
}
