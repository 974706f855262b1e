package main

import (
	"crypto/x509"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// writeConfiguration writes NAME.mobileconfig: what an Apple device is given in the place of the .p12, with the CAs that
// it is to trust. The device asks for the password; an MDM server would write it into the file. A real one has the
// networks too that the certificate is for.
func (r *result) writeConfiguration(folder string, chain []*x509.Certificate) error {
	config, err := mobileconfig.Encode(mobileconfig.Profile{
		Identifier: "test.corp.quickstart." + r.name, DisplayName: "quickstart: " + r.name, Organization: "quickstart",
		Description: "A certificate to look at, and the CAs above it, which existed for some seconds. Remove it afterwards.",
		Identity:    mobileconfig.Identity{PKCS12: r.outcome.PKCS12, Password: r.order.order.Password},
		CAs:         chain,
	})
	if err != nil {
		return err
	}
	return writePrivate(filepath.Join(folder, r.name+".mobileconfig"), config)
}

// explain says what a person does with the files.
func explain(w io.Writer, platform, folder string) {
	fmt.Fprintf(w, "\nNAME.p12, NAME.password and ca.pem (the issuing CA and the root) are in %s. To look into one:\n"+
		"  openssl pkcs12 -info -nokeys -in %[2]s.p12 -passin file:%[2]s.password\n", folder, cli.Quoted(filepath.Join(folder, "held")))
	if platform == "" {
		fmt.Fprintln(w, "With -platform the files are made for one, and the next step is said.")
		return
	}
	absolute := folder
	if path, err := filepath.Abs(folder); err == nil {
		absolute = path
	}
	fmt.Fprintf(w, "Onto the device (%s), held as the others:\n%s", platform, onto(platform, folder, absolute))
}

// onto is how a file gets onto a device, by platform.
func onto(platform, folder, absolute string) string {
	path := filepath.Join(folder, "held")
	file := cli.Quoted(path)
	switch platform {
	case "macos":
		return fmt.Sprintf("  open %s.mobileconfig\n  Then System Settings, General, Device Management (before macOS 15: Privacy & "+
			"Security, Profiles): install it there.\n  It asks for the password.\n", file)
	case "ios", "ipados", "visionos":
		return fmt.Sprintf("  Send %s.mobileconfig to it (AirDrop, mail, a web server), open it there, and install it in\n"+
			"  Settings, Profile Downloaded. It asks for the code of the device and for the password.\n", file)
	case "tvos", "watchos":
		return fmt.Sprintf("  Install %s.mobileconfig with Apple Configurator or an MDM server (on a watch: with its iPhone).\n", file)
	case "windows":
		return fmt.Sprintf("  Import-PfxCertificate -FilePath '%s.p12' -CertStoreLocation Cert:\\CurrentUser\\My -Password (Read-Host "+
			"-AsSecureString)\n  (PowerShell; Cert:\\LocalMachine\\My for the computer, as administrator.) Machines of the domain trust "+
			"the CA already.\n", strings.ReplaceAll(path, "'", "''"))
	case "windows-server":
		return fmt.Sprintf("  Import-PfxCertificate -FilePath '%s.p12' -CertStoreLocation Cert:\\LocalMachine\\My -Password (Read-Host "+
			"-AsSecureString)\n", strings.ReplaceAll(path, "'", "''"))
	case "android":
		return fmt.Sprintf("  Copy %s.p12 to it; Settings, Security, Encryption & credentials, Install a certificate, Wi-Fi "+
			"certificate\n  (or VPN & app user certificate). It asks for the password and for a name.\n", file)
	case "chromeos":
		return fmt.Sprintf("  chrome://certificate-manager, Your certificates, import %s.p12 and bind it to the device.\n", file)
	case "java":
		return fmt.Sprintf("  keytool -list -storetype PKCS12 -keystore %[1]s.p12 -storepass:file %[1]s.password\n", file)
	case "linux-nss":
		return fmt.Sprintf("  test -e \"$HOME/.pki/nssdb/cert9.db\" || { mkdir -p \"$HOME/.pki/nssdb\" && certutil -N -d \"sql:$HOME/.pki/nssdb\" "+
			"--empty-password; }\n  pk12util -d \"sql:$HOME/.pki/nssdb\" -i %[1]s.p12 -w %[1]s.password\n"+
			"  # (the database of Chrome; that of Firefox is in its profile)\n", file)
	case "linux-openssl":
		file = cli.Quoted(filepath.Join(absolute, "held"))
		// nmcli takes a password behind the file of the key, and there alone a backslash for what is part of the name.
		key := cli.Quoted(strings.NewReplacer(`\`, `\\`, " ", `\ `, "\t", "\\\t").Replace(filepath.Join(absolute, "held")))
		return fmt.Sprintf("  nmcli connection add type wifi con-name Example ssid Example wifi-sec.key-mgmt wpa-eap 802-1x.eap tls \\\n"+
			"    802-1x.identity held 802-1x.ca-cert %[1]s/ca.pem 802-1x.domain-suffix-match radius.example.com \\\n"+
			"    802-1x.client-cert %[2]s.p12 802-1x.private-key %[3]s.p12\n  nmcli --ask connection up Example\n"+
			"  (NetworkManager, which asks for the password; examples/wifi has a file for wpa_supplicant.)\n", cli.Quoted(absolute), file, key)
	}
	return ""
}

// parsePlatform returns the profile of a platform, or the default without one.
func parsePlatform(text string) (pkcs12.Profile, error) {
	profile, err := pkcs12.ParseProfile(text)
	if name, _ := profile.Platform(); err == nil && text != "" && name == "" {
		err = fmt.Errorf("%q is no platform; there are %s", text, strings.Join(pkcs12.Platforms(), ", "))
	}
	return profile, err
}
