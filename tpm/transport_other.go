//go:build !unix && !windows

package tpm

func openDevice(string) (link, error) { return nil, errNoDevices }

func openTBS() (link, error) { return nil, errNotWindows }
