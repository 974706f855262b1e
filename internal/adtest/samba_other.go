//go:build !linux

package adtest

import (
	"errors"
	"net/netip"
)

// stateFolder is where the domain's state is, which is nowhere here.
const stateFolder = ""

// samba is never started here.
type samba struct{}

func startSamba(string, string) (*samba, error) { return nil, errors.ErrUnsupported }

func (*samba) stop() error { return errors.ErrUnsupported }

func lock(string) (func(), error) { return nil, errors.ErrUnsupported }

func hosts(map[string]netip.Addr) string { return "" }
