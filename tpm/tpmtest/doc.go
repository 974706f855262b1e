// Package tpmtest starts a TPM 2.0 for a test: swtpm, a process of its own with a state of its own, with the
// certificates that a manufacturer would have put into it.
//
//	dev := tpmtest.Start(t, nil)
//	dev.Path()                          // "unix:/tmp/…/tpm", what package tpm opens
//	dev.PowerLoss()                     // as when the machine lost its power: sessions and loaded keys are gone
//	dev.Clear()                         // as from the firmware's menu: what was made under the owner never loads again
//	dev.Manufacturer().Roots()          // tpm.VerifierOptions.Roots of a verifier that trusts it
//	dev.Manufacturer().Intermediates()  // and its Intermediates, without which there is no chain: the TPM has none
//
// swtpm is the Debian package of that name; a test on a machine without it is skipped and says so. Nothing here needs
// root. Data and state lie in a folder below the system's folder for temporary files and are removed when the test
// ends, after the process has been killed and waited for; on Linux it also ends with the test binary.
//
// The TPM is a bare one: three slots for loaded objects, three for sessions, no resource manager, one client at a time.
// A second client waits until the first has closed its connection.
package tpmtest
