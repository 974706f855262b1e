//go:build !windows

package adcs

import "errors"

// CurrentAccount is the account that this process runs as, with the security packages of Windows (SSPI). Here, on a
// system that has none, [New] refuses it with an error that matches errors.ErrUnsupported. It is experimental on
// Windows.
func CurrentAccount() Credential { return Credential{bad: errNoSSPI{}} }

// errNoSSPI says that there is no Windows. Its text does not repeat that of errors.ErrUnsupported.
type errNoSSPI struct{}

func (errNoSSPI) Error() string {
	return "adcs: the account of this process can log on by itself on Windows only"
}
func (errNoSSPI) Is(target error) bool { return target == errors.ErrUnsupported }
