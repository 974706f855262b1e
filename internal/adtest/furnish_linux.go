package adtest

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Where Samba's programs look, whatever their configuration says; and where the state of the domain is.
const (
	runFolder   = "/run/samba"     // winbindd's socket
	stateFolder = "/var/lib/samba" // everything else
)

// furnish prepares the new namespaces that this process is in.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("loopback interface: %w", err)
	}
	for _, folder := range []string{runFolder, stateFolder} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("adtest", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mounting %s: %w", folder, err)
		}
	}
	if err := replaceFile("/etc/hosts", hosts(nil)); err != nil {
		return err
	}
	// A name that /etc/hosts lacks is unknown, at once: nobody listens there.
	return replaceFile("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req)
}

// replaceFile puts a file of the domain in the place of a file of the machine, for this mount namespace.
func replaceFile(path, content string) error {
	if _, err := os.Stat(path); err != nil {
		return nil // nobody reads it then
	}
	own := stateFolder + "/" + strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-")
	if err := os.WriteFile(own, []byte(content), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return nil
}

// hosts is the content of /etc/hosts, with more hosts by name.
func hosts(more map[string]netip.Addr) string {
	lines := []string{
		"127.0.0.1 localhost", "::1 localhost",
		"127.0.0.1 " + dcHost + " dc", "127.0.0.2 " + caHost + " ca", "127.0.0.3 client.corp.test client",
	}
	if name, err := os.Hostname(); err == nil {
		lines = append(lines, "127.0.0.1 "+name)
	}
	for name, addr := range more {
		lines = append(lines, addr.String()+" "+name)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
