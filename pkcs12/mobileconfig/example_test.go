package mobileconfig_test

import (
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// A laptop gets its certificate, the company's CA, and the Wi-Fi that they are for.
func Example() {
	file, root := delivered()
	config, err := mobileconfig.Encode(mobileconfig.Profile{
		Identifier:  "com.example.wifi.alice", // one for each identity, and the same again after renewal
		DisplayName: "Example Wi-Fi (alice)", Organization: "Example Ltd",
		Identity: mobileconfig.Identity{PKCS12: file, Password: password}, // which the device will ask for
		WiFi: []mobileconfig.WiFi{{
			SSID: "Example",
			EAP:  mobileconfig.EAPTLS{Anchors: []*x509.Certificate{root}, ServerNames: []string{"radius.example.com"}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(string(config), "<key>PayloadUUID</key>"), "UUIDs") // profile, identity, CA, Wi-Fi
	// Output: 4 UUIDs
}

// delivered stands for the .p12 of package pkcs12, made of the leaf alone, and the CA behind the RADIUS server.
func delivered() ([]byte, *x509.Certificate) {
	file, err := os.ReadFile("testdata/identity.p12")
	if err != nil {
		log.Fatal(err)
	}
	der, err := os.ReadFile("testdata/root.cer")
	if err != nil {
		log.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	return file, root
}
