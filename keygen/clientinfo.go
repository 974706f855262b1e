package keygen

import (
	"encoding/asn1"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxClientText bounds each text of a ClientInfo, in characters: the columns of a CA's database are not longer.
const maxClientText = 1024

// OSVersion is the operating system that made a request (szOID_OS_VERSION, MS-WCCE section 2.2.2.7.1), in the form of
// Windows: 10.0.26100.2 is Windows 11 24H2. Platform 2 is Windows NT and all that came after it.
type OSVersion struct {
	Major, Minor, Build, Platform uint32
}

// String returns the four numbers, joined by dots.
func (v OSVersion) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", v.Major, v.Minor, v.Build, v.Platform)
}

// ClientInfo is the program that made a request (szOID_REQUEST_CLIENT_INFO, MS-WCCE section 2.2.2.7.4). A text may be
// empty; it has at most 1024 characters, all of them visible.
type ClientInfo struct {
	// ClientID is a number of your own. 1 to 9 and 1000 are those of Windows' programs.
	ClientID uint32
	// Machine is the name of the computer, User the account (DOMAIN\user), Process the name of the program.
	Machine, User, Process string
}

// oidOSVersion is szOID_OS_VERSION, oidClientInfo is szOID_REQUEST_CLIENT_INFO.
func oidOSVersion() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 2, 3}
}
func oidClientInfo() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 20}
}

func (v OSVersion) encode() ([]byte, error) {
	return asn1.MarshalWithParams(v.String(), "ia5")
}

func (c *ClientInfo) encode() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Uint64(uint64(c.ClientID))
		for _, text := range []string{c.Machine, c.User, c.Process} {
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
		}
	})
	for _, field := range [][2]string{{"machine", c.Machine}, {"user", c.User}, {"process", c.Process}} {
		if err := checkClientText(field[1]); err != nil {
			return nil, fmt.Errorf("client info: %s: %w", field[0], err)
		}
	}
	return b.Bytes()
}

func checkClientText(text string) error {
	if len(text) > utf8.UTFMax*maxClientText || utf8.RuneCountInString(text) > maxClientText {
		return fmt.Errorf("more than %d characters", maxClientText)
	}
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			return fmt.Errorf("the character %U is not allowed", r)
		}
	}
	return nil
}
