package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// listenAdmin opens the socket of the administration, which only this user can.
func listenAdmin(ctx context.Context, path string) (net.Listener, error) {
	if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("a gateway is running already: %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Made where nobody else can look, so that it is never open to others, not even for a moment.
	folder, err := os.MkdirTemp(filepath.Dir(path), ".gateway")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(folder, "s"))
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // it has another name then: serve removes it
	if err := errors.Join(os.Chmod(filepath.Join(folder, "s"), 0o600), os.Rename(filepath.Join(folder, "s"), path)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// removeAdmin removes the socket of the administration, if it is still the one that this process made.
func removeAdmin(path string, made os.FileInfo) error {
	if now, err := os.Lstat(path); err != nil || !os.SameFile(made, now) {
		return nil
	}
	return os.Remove(path)
}
