package adcs_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// TestHResultKnowsEveryCode lists the codes by number, as winerror.h does, so that the table cannot lose one.
func TestHResultKnowsEveryCode(t *testing.T) {
	var codes []uint32
	for c := uint32(0x80094001); c <= 0x80094018; c++ {
		codes = append(codes, c)
	}
	for c := uint32(0x80094800); c <= 0x80094821; c++ {
		codes = append(codes, c)
	}
	codes = append(codes, 0x80070057, 0x80070005, 0x80070002, 0x8007000D, 0x80091004, 0x8009200E, 0x80092013, 0x800706BA,
		0x80000009, 0x80074004)
	// Not CA codes, but what CAs answer with when something else fails.
	codes = append(codes, 0x80072030, 0x8007203A, 0x80090006, 0x80091002, 0x80092012, 0x80093102, 0x8009310B, 0x800B0101,
		0x800B0109)
	names := make(map[string]uint32)
	for _, c := range codes {
		h := adcs.HResult(c)
		require.NotEmpty(t, h.Name(), "%08X", c)
		require.NotEmpty(t, h.Explanation(), "%08X", c)
		assert.NotContains(t, h.Explanation(), "\n")
		assert.Equal(t, fmt.Sprintf("%s (0x%08X): %s", h.Name(), c, h.Explanation()), h.Error())
		if c != 0x80000009 && c != 0x80074004 {
			assert.NotContains(t, names, h.Name())
			names[h.Name()] = c
		}
	}
	assert.Equal(t, adcs.HResult(0x80094012), adcs.ErrTemplateDenied)
	assert.Equal(t, "CERTSRV_E_TEMPLATE_DENIED", adcs.ErrTemplateDenied.Name())
	assert.Equal(t, adcs.HResult(0x80094811), adcs.ErrKeyLength)
	assert.Equal(t, "CERTSRV_E_KEY_LENGTH", adcs.ErrKeyLength.Name())
	assert.Equal(t, adcs.HResult(0x8009480F), adcs.ErrSubjectDNSRequired)
}

func TestHResultIs(t *testing.T) {
	for _, tc := range []struct {
		name        string
		err, target error
		want        bool
	}{
		{"same", adcs.ErrTemplateDenied, adcs.ErrTemplateDenied, true},
		{"other", adcs.ErrTemplateDenied, adcs.ErrEnrollDenied, false},
		{"unknown codes equal themselves", adcs.HResult(0x80041234), adcs.HResult(0x80041234), true},
		{"the variant of E_ACCESSDENIED in MS-ICPR", adcs.HResult(0x80000009), adcs.ErrAccessDenied, true},
		{"the other way round", adcs.ErrAccessDenied, adcs.HResult(0x80000009), true},
		{"the variant of PROPERTY_EMPTY in MS-WCCE", adcs.HResult(0x80074004), adcs.ErrPropertyEmpty, true},
		{"a fault with a Win32 code", adcs.RPCStatus(5), adcs.ErrAccessDenied, true},
		{"a fault with a Win32 code and the variant", adcs.RPCStatus(5), adcs.HResult(0x80000009), true},
		{"an HRESULT with a Win32 code", adcs.ErrServerUnavailable, adcs.ErrRPCServerUnavailable, true},
		{"a fault that is no Win32 code", adcs.ErrUnknownInterface, adcs.HResult(0x80010003), false},
		{"EPT_S_NOT_REGISTERED as a Win32 code", adcs.RPCStatus(1753), adcs.ErrNotRegistered, true},
		{"RPC_S_UNKNOWN_IF as a Win32 code", adcs.RPCStatus(1717), adcs.ErrUnknownInterface, true},
		{"a wrong password is a failed logon", inPhase(adcs.PhaseBind, adcs.ErrLogonFailure), adcs.ErrLogon, true},
		{"so is RPC_S_SEC_PKG_ERROR", inPhase(adcs.PhaseBind, adcs.RPCStatus(0x721)), adcs.ErrLogon, true},
		{"a missing right is not", inPhase(adcs.PhaseBind, adcs.ErrRPCAccessDenied), adcs.ErrLogon, false},
		{"a security package that fails a bind is", inPhase(adcs.PhaseBind, adcs.BindNakInvalidChecksum), adcs.ErrLogon, true},
		{"another reason is not", inPhase(adcs.PhaseBind, adcs.BindNakLocalLimit), adcs.ErrLogon, false},
		{"the endpoint mapper sees no credential", inPhase(adcs.PhaseMap, adcs.BindNakInvalidChecksum), adcs.ErrLogon, false},
		{"nor does its fault speak of one", inPhase(adcs.PhaseMap, adcs.RPCStatus(0x721)), adcs.ErrLogon, false},
		{"a call finds the credential accepted", inPhase(adcs.PhaseCall, adcs.RPCStatus(0x721)), adcs.ErrLogon, false},
		{"no number equals an error of another kind", adcs.ErrTemplateDenied, errors.New("x"), false},
		{"reasons of a bind_nak are no statuses", adcs.BindNakNoPSAP, adcs.RPCStatus(7), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, errors.Is(tc.err, tc.target))
			assert.Equal(t, tc.want, errors.Is(fmt.Errorf("wrapped: %w", tc.err), tc.target))
		})
	}
}

func inPhase(phase adcs.Phase, err error) error { return &adcs.RPCError{Phase: phase, Err: err} }

func TestHResultString(t *testing.T) {
	assert.Equal(t, "CERTSRV_E_TEMPLATE_DENIED (0x80094012)", adcs.ErrTemplateDenied.String())
	assert.Equal(t, "HRESULT 0x80041234", adcs.HResult(0x80041234).String())
	assert.Equal(t, "HRESULT 0x80041234", adcs.HResult(0x80041234).Error())
	assert.Empty(t, adcs.HResult(0x80041234).Name())
	assert.Empty(t, adcs.HResult(0x80041234).Explanation())
}

func TestRPCErrorNamesPhaseAndStatus(t *testing.T) {
	err := fmt.Errorf("x: %w", &adcs.RPCError{Phase: adcs.PhaseMap, Err: adcs.ErrNotRegistered})
	assert.Equal(t, "x: adcs: endpoint mapper: ept_s_not_registered (0x16C9A0D6): "+
		"the endpoint mapper knows no CA on this host", err.Error())
	require.ErrorIs(t, err, adcs.ErrNotRegistered)
	e, ok := errors.AsType[*adcs.RPCError](err)
	require.True(t, ok)
	assert.Equal(t, adcs.PhaseMap, e.Phase)

	assert.Equal(t, "RPC status 0x1C0100FF", adcs.RPCStatus(0x1C0100FF).Error())
	assert.Equal(t, "bind refused, reason 8 (authentication_type_not_recognized): "+
		"the server does not know this authentication", adcs.BindNakAuthTypeUnrecognized.Error())
	assert.Equal(t, "bind refused, reason 77", adcs.BindNak(77).Error())
	assert.Equal(t, "interface refused, reason 1 (abstract_syntax_not_supported): "+
		"the server at this port does not offer the CA's interface", adcs.ContextInterfaceUnknown.Error())
	assert.Equal(t, "interface refused, reason 77", adcs.ContextRejection(77).Error())
}
