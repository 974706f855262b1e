//go:build !unix && !windows

package tpm

import "errors"

var errNoDevices = errors.New("this operating system has no device files for TPMs; use unix:PATH or tcp:HOST:PORT")

func openDevice(string) (link, error) { return nil, errNoDevices }

func openTBS() (link, error) { return nil, errNotWindows }
