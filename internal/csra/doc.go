// Package csra encodes and decodes the messages of the Certificate Services Remote Administration Protocol (MS-CSRA),
// for both sides: requests and answers of ICertAdminD and ICertAdminD2, and the tables that they carry as bytes.
//
// A message writes and reads the parameters that come after ORPCTHIS and ORPCTHAT (MS-DCOM section 2.2.13), which are
// those of every object. Calls go to ICertAdminD2, which inherits the operations of ICertAdminD.
//
// Everything that is decoded came from a peer. Nothing is allocated that its bytes do not pay for, every offset is
// checked, and what is malformed is an error that matches rpc.ErrMalformed.
package csra

import (
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("csra: %w: %s", rpc.ErrMalformed, fmt.Sprintf(format, args...))
}

// Opnum is the number of an operation (MS-CSRA sections 3.1.4.1 and 3.1.4.2).
type Opnum uint16

// The operations that this package knows. The comment names the messages of request and answer.
const (
	OpResubmitRequest            Opnum = 5  // ByRequest, Number: the disposition
	OpDenyRequest                Opnum = 6  // ByRequest, Result
	OpIsValidCertificate         Opnum = 7  // BySerial, Validity
	OpPublishCRL                 Opnum = 8  // Publish, Result
	OpRevokeCertificate          Opnum = 10 // Revoke, Result
	OpEnumViewColumn             Opnum = 11 // Range, Table of columns
	OpEnumAttributesOrExtensions Opnum = 13 // Elements, Table of attributes or extensions
	OpOpenView                   Opnum = 14 // OpenView, Table of rows
	OpEnumView                   Opnum = 15 // Range, Table of rows
	OpCloseView                  Opnum = 16 // ByName, Result
	OpPing                       Opnum = 18 // ByName, Result
	OpGetServerState             Opnum = 19 // ByName, Number
	OpPublishCRLs                Opnum = 31 // Publish with flags, Result
	OpGetCAProperty              Opnum = 32 // Property, Blob
	OpGetCAPropertyInfo          Opnum = 34 // ByName, Table of CATRANSPROP
	OpEnumViewColumnTable        Opnum = 35 // TableRange, Table of columns
	OpPing2                      Opnum = 38 // ByName, Result
	OpGetMyRoles                 Opnum = 47 // ByName, Number: a sum of roles
)

// CLSID is the class of the CA's administration object (section 2.1).
func CLSID() rpc.UUID { return uuid("d99e6e73-fc88-11d0-b498-00a0c90312f3") }

// ICertAdminD is the interface with the operations below 31 (section 3.1.4.1).
func ICertAdminD() rpc.UUID { return uuid("d99e6e71-fc88-11d0-b498-00a0c90312f3") }

// ICertAdminD2 is the interface with all of them (section 3.1.4.2).
func ICertAdminD2() rpc.UUID { return uuid("7fe0d935-dda6-443f-85d0-1cfb58fe41dd") }

func uuid(text string) rpc.UUID {
	u, err := rpc.ParseUUID(text)
	if err != nil {
		panic("csra: internal error: " + err.Error())
	}
	return u
}
