package adcs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/internal/csra"
)

// Row is what the CA's database says about one request: a row of its request table ([MS-CSRA], section 3.1.1.1). What
// it does not say is zero.
type Row struct {
	RequestID   uint32
	Requester   string      // the account that submitted it, DOMAIN\name
	Submitted   time.Time   // by the CA's clock
	Disposition Disposition // Pending, Issued, Revoked, Denied, Failed, or Incomplete while the CA works on it
	Code        HResult     // why it was refused
	Message     string      // the CA's text, cleaned as in [RequestError]
	Request     []byte      // as it was submitted, DER
	Serial      string      // of the certificate, hexadecimal in lower case
	Certificate []byte      // DER; not checked

	RevocationReason Reason    // of a revoked certificate
	Revoked          time.Time // when the revocation is effective
}

// The columns of a row, by their names in section 3.1.1.1 of [MS-CSRA], in lower case.
const (
	columnRequestID   = "request.requestid"
	columnRequest     = "request.rawrequest"
	columnDisposition = "request.disposition"
	columnStatus      = "request.statuscode"
	columnMessage     = "request.dispositionmessage"
	columnSubmitted   = "request.submittedwhen"
	columnRequester   = "request.requestername"
	columnSerial      = "serialnumber"
	columnCertificate = "rawcertificate"
	columnReason      = "request.revokedreason"
	columnRevoked     = "request.revokedeffectivewhen"
)

// rowColumns returns the columns of a Row. Those that a CA need not have are left out where it does not have them.
func (s schema) rowColumns() ([]uint32, error) {
	var ids []uint32
	for _, name := range []string{columnRequestID, columnRequest, columnDisposition} {
		c, err := s.column(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	for _, name := range []string{
		columnStatus, columnMessage, columnSubmitted, columnRequester, columnSerial, columnCertificate, columnReason,
		columnRevoked,
	} {
		if c, ok := s[name]; ok {
			ids = append(ids, c.ID)
		}
	}
	return ids, nil
}

func (s schema) column(name string) (csra.Column, error) {
	c, ok := s[name]
	if !ok {
		return c, unusable(fmt.Errorf("there is no column %q", name))
	}
	return c, nil
}

// row reads a Row.
func (s schema) row(r *csra.Row) (*Row, error) {
	value := func(name string) csra.Value {
		c, ok := s[name]
		if !ok {
			return csra.Value{}
		}
		v, _ := r.Value(c.ID)
		return v
	}
	number := func(name string) uint32 {
		n, _ := value(name).Integer()
		return uint32(n)
	}
	text := func(name string) string {
		v := value(name)
		if _, ok := v.Text(); !ok {
			return ""
		}
		return decodeMessage(v.Data)
	}
	id, ok := value(columnRequestID).Integer()
	disposition, known := value(columnDisposition).Integer()
	if !ok || !known || id <= 0 {
		return nil, unusable(fmt.Errorf("a row without request id or disposition"))
	}
	row := &Row{
		RequestID: uint32(id), Requester: text(columnRequester), Disposition: storedDisposition(uint32(disposition)),
		Code: hresultFromWin32(number(columnStatus)), Message: text(columnMessage), Serial: text(columnSerial),
		RevocationReason: Reason(number(columnReason)),
	}
	row.Submitted, _ = value(columnSubmitted).Date()
	row.Revoked, _ = value(columnRevoked).Date()
	// They are copied, so that a row does not hold on to the page that it was in.
	request, _ := value(columnRequest).Binary()
	certificate, _ := value(columnCertificate).Binary()
	row.Request, row.Certificate = bytes.Clone(request), bytes.Clone(certificate)
	return row, nil
}

// storedDisposition is a disposition as a CA's database has it: Windows stores the values of certsrv.h (DB_DISP), while
// [MS-CSRA], note 5, has those of the answers to requests.
func storedDisposition(stored uint32) Disposition {
	switch stored {
	case 9:
		return Pending
	case 20:
		return Issued
	case 21:
		return Revoked
	case 30:
		return Failed
	case 31:
		return Denied
	case 8: // active: being worked on
		return Incomplete
	}
	if d := Disposition(stored); d <= Revoked {
		return d
	}
	return Incomplete
}

// Result is what the row says as the answer of a CA: a result without a chain, or a *[RequestError] if the request was
// refused or the certificate is revoked. It is nil without an error while the CA works on the request.
func (r *Row) Result() (*Result, error) {
	result := &Result{Disposition: r.Disposition, RequestID: r.RequestID, Message: r.Message}
	switch r.Disposition {
	case Pending:
		return result, nil
	case Issued:
		cert, err := x509.ParseCertificate(r.Certificate)
		if err != nil {
			return nil, &AnswerError{r.RequestID,
				fmt.Sprintf("the certificate in the CA's database cannot be parsed: %v", err)}
		}
		result.Certificate = cert
		return result, nil
	case Failed, Denied, Revoked:
		return nil, &RequestError{RequestID: r.RequestID, Disposition: r.Disposition, Code: r.Code, Message: r.Message}
	}
	return nil, nil
}
