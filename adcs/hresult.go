package adcs

import "fmt"

// HResult is a Windows HRESULT as a certification authority (CA) returns it: as the return value of a call or in place
// of the disposition. It is an error, so that a refusal can be recognised with [errors.Is]:
//
//	if errors.Is(err, adcs.ErrTemplateDenied) { … }
//
// The known codes are the Err constants of this type. Code values are those of Microsoft's winerror.h; see [MS-ERREF],
// section 2.1, for the layout, and [MS-WCCE], section 2.2.4.
type HResult uint32

// win32Facility is the severity and facility of an HRESULT that carries a Win32 error code: [MS-ERREF], section 2.1.2.
const win32Facility = 0x80070000

// hresultFromWin32 is HRESULT_FROM_WIN32: it leaves zero and whole HRESULTs alone.
func hresultFromWin32(code uint32) HResult {
	if code == 0 || code > 0xffff {
		return HResult(code)
	}
	return HResult(win32Facility | code)
}

// canonical maps the two values that Microsoft's documents print by mistake, and that a server built from them may
// send, to the ones that Windows uses: E_ACCESSDENIED is 0x80000009 in [MS-ICPR] 3.2.4.1.1 and [MS-WCCE] <121>,
// CERTSRV_E_PROPERTY_EMPTY is 0x80074004 in [MS-WCCE] 2.2.4.
func (h HResult) canonical() HResult {
	switch h {
	case 0x80000009:
		return ErrAccessDenied
	case 0x80074004:
		return ErrPropertyEmpty
	}
	return h
}

// Is reports whether target is the same code. The variants 0x80000009 and 0x80074004 that Microsoft's documents print
// equal [ErrAccessDenied] and [ErrPropertyEmpty]; a code of the Win32 facility equals the [RPCStatus] of that Win32
// code.
func (h HResult) Is(target error) bool {
	switch t := target.(type) {
	case HResult:
		return h.canonical() == t.canonical()
	case RPCStatus:
		return t.Is(h)
	}
	return false
}

// Name returns the symbolic name of winerror.h, e.g. "CERTSRV_E_TEMPLATE_DENIED", or "" for a code that this package
// does not know.
func (h HResult) Name() string {
	return hresults[h.canonical()].name
}

// Explanation returns one line that says what the code means at a CA, or "" for a code that this package does not know.
// [Explain] says what to do about it.
func (h HResult) Explanation() string {
	return hresults[h.canonical()].text
}

// String returns the name and the number, e.g. "CERTSRV_E_TEMPLATE_DENIED (0x80094012)", or the number alone.
func (h HResult) String() string {
	if name := h.Name(); name != "" {
		return fmt.Sprintf("%s (0x%08X)", name, uint32(h))
	}
	return fmt.Sprintf("HRESULT 0x%08X", uint32(h))
}

// Error returns the name, the number and the explanation.
func (h HResult) Error() string {
	if text := h.Explanation(); text != "" {
		return h.String() + ": " + text
	}
	return h.String()
}
