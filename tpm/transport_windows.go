package tpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2/transport/windowstpm"
)

var errWindowsDevice = errors.New("there are no device files for TPMs in Windows; use tbs")

func openDevice(string) (link, error) { return nil, errWindowsDevice }

// openTBS opens a context of the TPM Base Services, which are a resource manager: what is loaded in a context goes with it.
func openTBS() (link, error) { return windowstpm.Open() }
