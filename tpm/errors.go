package tpm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
)

// What a TPM's refusal of a command means for whoever called. A [CommandError] matches one of them, or none. Each text
// says what can be done.
var (
	// ErrLockout: TPM_RC_LOCKOUT. Keys that this package makes, the storage keys above them, endorsement keys by their policy
	// and the hierarchies of the owner and the endorsement are not subject to it (part 1, 19.8); keys of others may be.
	ErrLockout = errors.New("tpm: after too many wrong authorization values the TPM takes none for a while: " +
		"wait (TPM2_PT_LOCKOUT_INTERVAL says how long), or reset it with the lockout hierarchy's " +
		"(tpm2_dictionarylockout --clear-lockout), and mend the value before the next attempt")
	// ErrBusy: the TPM has not begun the command and asks for it again later. It has been repeated for some seconds.
	ErrBusy = errors.New("tpm: the TPM is busy with something else: try again later")
	// ErrMemory: there is no room for one more object or session, since other programs fill the TPM.
	ErrMemory = errors.New("tpm: other programs fill the TPM's memory: use the resource manager (/dev/tpmrm0) in all of " +
		"them, or flush what they left (tpm2_flushcontext --transient-object, --loaded-session)")
	// ErrAuth: the authorization value is not the right one. Repeating the attempt may lock the TPM out, but not with keys
	// that this package has made.
	ErrAuth = errors.New("tpm: the authorization value is wrong: look at Options.KeyAuth, and whether the key has one; " +
		"repeated attempts may lock the TPM out")
	// ErrNoOwner: the owner's hierarchy cannot be used, which making the transient storage key takes.
	ErrNoOwner = errors.New("tpm: the owner's hierarchy cannot be used: set Options.OwnerAuth to its authorization " +
		"value, have a storage key made persistent at Options.Parent, or switch the hierarchy on in the firmware")
	// ErrHandle: an object or session is not loaded (any more), as after a restart of the TPM. Everything that this
	// package needs has been loaded anew before this error is returned.
	ErrHandle = errors.New("tpm: the TPM does not know a handle (any more): something else has flushed it, or the TPM " +
		"restarts again and again")
	// ErrUnsupported: the TPM lacks a command, an algorithm, a curve or a key size.
	ErrUnsupported = errors.New("tpm: the TPM does not support what was asked of it: use P-256, or another TPM")
	// ErrFailure: the TPM does nothing any more until it is restarted.
	ErrFailure = errors.New("tpm: the TPM is out of order: restart the machine; if that does not help, the TPM is " +
		"broken or waits for an update of its firmware")

	errDamaged = errors.New("tpm: the halves of the key don't belong to one another: its file is damaged")
)

// CommandError is a TPM's refusal of a command. It matches one of ErrLockout, ErrBusy, ErrMemory, ErrAuth, ErrNoOwner,
// ErrHandle, ErrUnsupported, ErrFailure and [ErrOtherTPM], if its code is one of theirs.
type CommandError struct {
	// Command is the command's name without TPM2_: Load, Sign.
	Command string
	// Code is what the TPM returned (TPM 2.0 Library, part 2, 6.6), with the number of the handle, parameter or session
	// that it is about, and with the layer of the software that made it, if that was not the TPM.
	Code uint32
	// hierarchy that the command was to work in or to be authorized by, or 0
	hierarchy tpm2.TPMHandle
}

// refused makes a CommandError of a refusal; other errors are only told with the name of the command.
func refused(cmd any, err error) error {
	var code tpm2.TPMRC
	var transport *transportError
	if errors.As(err, &transport) {
		return &transportError{cause: transport.cause, slow: transport.slow, command: commandName(cmd)}
	}
	if !errors.As(err, &code) {
		return fmt.Errorf("tpm: %s: %w", commandName(cmd), err)
	}
	return &CommandError{Command: commandName(cmd), Code: uint32(code), hierarchy: hierarchyOf(cmd)}
}

// hierarchyOf returns the hierarchy that a command uses.
func hierarchyOf(cmd any) tpm2.TPMHandle {
	var h interface{ HandleValue() uint32 }
	switch cmd := cmd.(type) {
	case tpm2.CreatePrimary:
		h = cmd.PrimaryHandle
	case tpm2.PolicySecret:
		h = cmd.AuthHandle
	case tpm2.NVRead:
		h = cmd.AuthHandle
	}
	if h == nil || h.HandleValue()>>24 != typePermanent {
		return 0
	}
	return tpm2.TPMHandle(h.HandleValue())
}

func (e *CommandError) rc() tpm2.TPMRC { return withoutLayer(tpm2.TPMRC(e.Code)) }

// withoutLayer returns a code without who made it: resource managers, the kernel's and others, give a TPM's codes in their
// own name too (TSS2_RESMGR_TPM_RC_LAYER).
func withoutLayer(code tpm2.TPMRC) tpm2.TPMRC { return code & 0xffff }

// What the TPM Base Services of Windows answer in the place of the TPM (winerror.h, FACILITY_TPM_SERVICE).
const (
	tbsBlocked         = 0x80280400 // TPM_E_COMMAND_BLOCKED
	tbsEmbeddedBlocked = 0x80280403 // TPM_E_EMBEDDED_COMMAND_BLOCKED
)

// class returns what the refusal means, or nil.
func (e *CommandError) class() error {
	canonical := canonicalCode(e.rc())
	switch class := classes[canonical]; {
	case e.Code == tbsBlocked, e.Code == tbsEmbeddedBlocked:
		return ErrUnsupported
	case canonical == tpm2.TPMRCIntegrity && e.Command == "Load":
		return ErrOtherTPM
	case canonical == tpm2.TPMRCBinding && e.Command == "Load":
		return errDamaged
	case canonical == tpm2.TPMRCHierarchy && e.hierarchy == tpm2.TPMRHOwner:
		return ErrNoOwner
	case class == ErrAuth && e.hierarchy == tpm2.TPMRHOwner:
		return ErrNoOwner
	default:
		return class
	}
}

// Error says what the refusal means and what to do, and the TPM's code and its name.
func (e *CommandError) Error() string {
	name := e.rc().Error()
	class := e.class()
	if class == nil {
		return fmt.Sprintf("tpm: %s: %s (%#x)", e.Command, name, e.Code)
	}
	advice := strings.TrimPrefix(class.Error(), "tpm: ")
	switch {
	case e.Code == tbsBlocked, e.Code == tbsEmbeddedBlocked:
		return fmt.Sprintf("tpm: %s: Windows lets programs of this account not use the command: run it as an administrator or a "+
			"service (TPM_E_COMMAND_BLOCKED, %#x)", e.Command, e.Code)
	case class == ErrOtherTPM:
		advice = "the key was made under another storage key: in another TPM, or in this one before it was cleared; or its " +
			"file is damaged. Make new keys and register them"
	case e.rc() == tpm2.TPMRCInitialize:
		advice = "nobody has started the TPM: the firmware does that with the machine's; start swtpm with --flags startup-clear"
	case e.rc() == tpm2.TPMRCFailure:
		advice += "; swtpm answers so when it was started without --flags startup-clear"
	case class == ErrAuth && (e.Command == "Create" || e.Command == "Load"):
		advice = "the storage key above the key has an authorization value, which is not supported: name another one in " +
			"Options.Parent; repeated attempts may lock the TPM out"
	case class == ErrAuth && e.hierarchy == tpm2.TPMRHEndorsement:
		advice = "the authorization value of the endorsement hierarchy is wrong: set Options.EndorsementAuth; repeated " +
			"attempts may lock the TPM out"
	}
	if canonicalCode(e.rc()) == tpm2.TPMRCBadAuth { // "authorization failure without DA implications": part 2, 6.6.3
		advice = strings.TrimSuffix(advice, "; repeated attempts may lock the TPM out")
	}
	name, _, _ = strings.Cut(name, ": ")
	return fmt.Sprintf("tpm: %s: %s (%s, %#x)", e.Command, advice, name, e.Code)
}

// Is is true for the error that says what the refusal means; a refusal of the owner's authorization value is ErrAuth
// too.
func (e *CommandError) Is(target error) bool {
	class := e.class()
	if target == ErrAuth {
		canonical := canonicalCode(e.rc())
		return classes[canonical] == ErrAuth
	}
	return class != nil && target == class
}

// Unwrap returns the code as go-tpm's TPMRC, which matches the code without numbers.
func (e *CommandError) Unwrap() error { return e.rc() }

// Bits of a return code (TPM 2.0 Library, part 2, 6.6.2).
const (
	formatOne     = 0x080 // the code is about a handle, a parameter or a session
	formatOneMask = 0x0bf // without the number and what it counts
)

// canonicalCode returns a code without the number of the handle, parameter or session that it is about.
func canonicalCode(code tpm2.TPMRC) tpm2.TPMRC {
	if code&formatOne == 0 {
		return code
	}
	return code & formatOneMask
}

// classes are what codes mean whatever the command was. Codes without a meaning of their own for a caller are missing.
var classes = map[tpm2.TPMRC]error{
	tpm2.TPMRCLockout: ErrLockout,

	tpm2.TPMRCRetry: ErrBusy, tpm2.TPMRCYielded: ErrBusy, tpm2.TPMRCTesting: ErrBusy, tpm2.TPMRCCanceled: ErrBusy,
	tpm2.TPMRCNVRate: ErrBusy, tpm2.TPMRCNVUnavailable: ErrBusy,

	tpm2.TPMRCObjectMemory: ErrMemory, tpm2.TPMRCSessionMemory: ErrMemory, tpm2.TPMRCMemory: ErrMemory,
	tpm2.TPMRCObjectHandles: ErrMemory, tpm2.TPMRCSessionHandles: ErrMemory, tpm2.TPMRCContextGap: ErrMemory,
	tpm2.TPMRCTooManyContexts: ErrMemory,

	tpm2.TPMRCAuthFail: ErrAuth, tpm2.TPMRCBadAuth: ErrAuth, tpm2.TPMRCAuthMissing: ErrAuth,
	tpm2.TPMRCAuthUnavailable: ErrAuth,

	tpm2.TPMRCHandle: ErrHandle, tpm2.TPMRCReferenceH0: ErrHandle, tpm2.TPMRCReferenceH1: ErrHandle,
	tpm2.TPMRCReferenceH2: ErrHandle, tpm2.TPMRCReferenceH3: ErrHandle, tpm2.TPMRCReferenceH4: ErrHandle,
	tpm2.TPMRCReferenceH5: ErrHandle, tpm2.TPMRCReferenceH6: ErrHandle, tpm2.TPMRCReferenceS0: ErrHandle,
	tpm2.TPMRCReferenceS1: ErrHandle, tpm2.TPMRCReferenceS2: ErrHandle, tpm2.TPMRCReferenceS3: ErrHandle,
	tpm2.TPMRCReferenceS4: ErrHandle, tpm2.TPMRCReferenceS5: ErrHandle, tpm2.TPMRCReferenceS6: ErrHandle,

	tpm2.TPMRCCommandCode: ErrUnsupported, tpm2.TPMRCAsymmetric: ErrUnsupported, tpm2.TPMRCSymmetric: ErrUnsupported,
	tpm2.TPMRCHash: ErrUnsupported, tpm2.TPMRCKeySize: ErrUnsupported, tpm2.TPMRCCurve: ErrUnsupported,
	tpm2.TPMRCScheme: ErrUnsupported, tpm2.TPMRCKDF: ErrUnsupported, tpm2.TPMRCMGF: ErrUnsupported,
	tpm2.TPMRCMode: ErrUnsupported,

	tpm2.TPMRCFailure: ErrFailure, tpm2.TPMRCInitialize: ErrFailure, tpm2.TPMRCReboot: ErrFailure,
	tpm2.TPMRCUpgrade: ErrFailure, tpm2.TPMRCNeedsTest: ErrFailure, tpm2.TPMRCDisabled: ErrFailure,
}
