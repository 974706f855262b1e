package connector

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
)

// The values of wsproto.Order.SubjectSource.
const (
	subjectFromRequest   = "request"
	subjectFromDirectory = "directory"
)

// checkSense refuses an order that contradicts itself, or asks for what nobody knows. Bounds were checked when it was
// decoded; what is allowed is for local policy.
func checkSense(o *wsproto.Order) error {
	names := len(o.DNS) + len(o.Email) + len(o.URI) + len(o.IP) + len(o.UPN)
	switch o.SubjectSource {
	case "", subjectFromRequest:
		if o.Subject == "" && names == 0 {
			return errors.New("the order names neither a subject nor an alternative name")
		}
	case subjectFromDirectory:
		if o.Subject != "" || names > 0 || o.SID != "" {
			return errors.New("the order names what it leaves to the directory")
		}
	default:
		return fmt.Errorf("the subject source %s is not known", quote(o.SubjectSource))
	}
	switch o.SIDForm {
	case "", "extension", "uri", "both":
	default:
		return fmt.Errorf("the form of the SID %s is not known", quote(o.SIDForm))
	}
	if (o.Password == "") == (o.Recipient == nil) {
		return errors.New("the order must name either a password or a recipient")
	}
	return nil
}
