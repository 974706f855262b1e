// Package adtest gives integration tests a real Active Directory domain: Samba as a domain controller, from Debian's
// packages, on the addresses of a real one.
//
// A domain controller needs root and well-known ports, and the tests of several packages run at once. So a test binary
// that wants a domain runs itself again in namespaces of its own, as root: a network with nothing but a loopback
// interface, on which the ports 88, 135, 389, 445 and 636 are free, mounts that nobody else sees (/etc/hosts names the
// hosts of the domain; Samba's own folders are in memory), and processes that the kernel ends with the test. Nothing is
// left of it, whatever way the test ends.
//
//	func TestMain(m *testing.M) { adtest.Main(m) }
//
//	func TestLogon(t *testing.T) {
//		d := adtest.Start(t)
//		u := d.AddUser(t, "alice")
//		...
//	}
//
// Hosts: dc.corp.test is the domain controller on 127.0.0.1. ca.corp.test is 127.0.0.2, and client.corp.test 127.0.0.3,
// where Samba does not listen: a test's own CA can have port 135 or 445 there.
//
// Without the build tag integration nothing of this happens: tests run where they are, and Start skips.
package adtest
