package discovery

import (
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is read of an object.
const (
	maxText   = 1024 // bytes of a name or an OID
	maxValues = 2000 // of an attribute
)

// object is an object of the directory: values by the name of their attribute, in lower case.
type object struct {
	dn    string
	attrs map[string][][]byte
}

// values are those of an attribute.
func (o object) values(name string) [][]byte { return o.attrs[strings.ToLower(name)] }

// problems collects what cannot be read of an object.
type problems []string

func (p *problems) add(attribute string, err error) {
	if err != nil {
		*p = append(*p, attribute+": "+err.Error())
	}
}

// text reads an attribute with one value at most. Control characters would let a directory write on somebody's
// terminal.
func (o object) text(name string, p *problems) string {
	all := o.texts(name, p)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func (o object) texts(name string, p *problems) []string {
	var texts []string
	for i, v := range o.values(name) {
		if i == maxValues {
			p.add(name, fmt.Errorf("%w: %d values", ErrTooLarge, len(o.values(name))))
			break
		}
		s := string(v)
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			p.add(name, fmt.Errorf("%w: text of %d bytes", ErrMalformed, len(v)))
			continue
		}
		texts = append(texts, s)
	}
	return texts
}

// number reads an attribute of syntax Integer, between limits; 0 if there is none.
func (o object) number(name string, least, most int64, p *problems) int64 {
	values := o.values(name)
	if len(values) == 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(values[0]), 10, 64)
	if err != nil || n < least || n > most {
		p.add(name, fmt.Errorf("%w: number", ErrMalformed))
		return 0
	}
	return n
}

// flags reads flags, which the directory has as a signed number of 32 bits.
func (o object) flags(name string, p *problems) uint32 {
	return uint32(o.number(name, math.MinInt32, math.MaxUint32, p))
}

// period reads a validity or renewal period: 8 bytes, a negative number of 100 ns (MS-CRTD 2.11, 2.15; MS-DTYP 2.3.3).
func (o object) period(name string, p *problems) time.Duration {
	values := o.values(name)
	if len(values) == 0 {
		return 0
	}
	d, err := decodePeriod(values[0])
	p.add(name, err)
	return d
}

// maxDuration is what a duration can be; a longer period is read as this.
const maxDuration = time.Duration(math.MaxInt64)

func decodePeriod(b []byte) (time.Duration, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: period of %d bytes", ErrMalformed, len(b))
	}
	n := int64(binary.LittleEndian.Uint64(b))
	switch {
	case n > 0:
		return 0, fmt.Errorf("%w: period that is a date", ErrMalformed)
	case n < -int64(maxDuration/100):
		return maxDuration, nil
	}
	return time.Duration(-n) * 100, nil
}

// keyUsage reads the contents of a key usage extension, of which the directory has the bits without their DER.
func keyUsage(b []byte) x509.KeyUsage {
	var u x509.KeyUsage
	for i := range min(8*len(b), 9) {
		if b[i/8]&(0x80>>(i%8)) != 0 {
			u |= 1 << i
		}
	}
	return u
}

// maxCertificate bounds a certificate, in bytes.
const maxCertificate = 64 << 10

// certificates reads certificates. The directory may hold a placeholder of one zero byte.
func (o object) certificates(name string, p *problems) []*x509.Certificate {
	var certs []*x509.Certificate
	for i, v := range o.values(name) {
		switch {
		case i == maxValues:
			p.add(name, fmt.Errorf("%w: %d certificates", ErrTooLarge, len(o.values(name))))
			return certs
		case len(v) == 1 && v[0] == 0:
			continue
		case len(v) > maxCertificate:
			p.add(name, fmt.Errorf("%w: certificate of %d bytes", ErrTooLarge, len(v)))
			continue
		}
		c, err := x509.ParseCertificate(v)
		if err != nil {
			p.add(name, fmt.Errorf("%w: certificate: %v", ErrMalformed, err))
			continue
		}
		certs = append(certs, c)
	}
	return certs
}

// access reads the security descriptor. One that cannot be read is a problem, and lets nobody do anything.
func (o object) access(p *problems) Access {
	values := o.values("nTSecurityDescriptor")
	if len(values) == 0 {
		p.add("nTSecurityDescriptor", fmt.Errorf("%w: it is missing, or not shown to this account", ErrMalformed))
		return Access{}
	}
	a, err := decodeDescriptor(values[0])
	p.add("nTSecurityDescriptor", err)
	return a
}
