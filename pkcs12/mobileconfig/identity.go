package mobileconfig

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/wipe"
	"github.com/adcskit/adcskit/pkcs12"
)

// identity adds the .p12.
func (e *encoder) identity(id Identity) error {
	key, certs, err := pkcs12.Decode(id.PKCS12, id.Password)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	wipe.Key(key)
	if err := checkReadable(id.PKCS12); err != nil {
		return err
	}
	if len(certs) != 1 {
		return fmt.Errorf("%w: the .p12 holds %d certificates and must hold the leaf alone; the others go into CAs",
			ErrIdentity, len(certs))
	}
	if networks := len(e.profile.WiFi) + len(e.profile.Ethernet); networks > 0 && !forClients(certs[0]) {
		return fmt.Errorf("%w: the certificate is not for client authentication", ErrIdentity)
	}
	e.leaf = certs[0]
	payload := dict{
		"PayloadContent": id.PKCS12, "PayloadCertificateFileName": "identity.p12",
		"KeyIsExtractable": false, "AllowAllAppsAccess": id.AllowAllAppsAccess,
	}
	if id.IncludePassword {
		if err := pkcs12.CheckPassword(id.Password); err != nil {
			return fmt.Errorf("%w: %w", ErrIdentity, err)
		}
		payload["Password"] = id.Password
	}
	e.add(roleIdentity, "com.apple.security.pkcs12", nameOf(certs[0]), payload)
	return nil
}

// checkReadable refuses what no system of Apple opens: its p12import.c (Security-61439.1.1 to 61901, of 2025) knows no
// PBMAC1, takes PBES2 as AES-256-CBC with HMAC-SHA256 whatever the file says, and passes over a key that is not
// encrypted. What only older systems cannot read is the business of who made the file. The MAC has been verified.
func checkReadable(file []byte) error {
	info, err := pkcs12.Inspect(file, "")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	const aes = "AES-256-CBC with PBKDF2 and HMAC-SHA256"
	for _, how := range []string{info.Key.Algorithm, info.Certificates.Algorithm, info.MAC.Algorithm} {
		if strings.Contains(how, "PBKDF2") && how != aes {
			return fmt.Errorf("%w: no system of Apple reads %s", ErrIdentity, how)
		}
	}
	if info.Key.Algorithm == "none" {
		return fmt.Errorf("%w: the key in the .p12 is not encrypted, and no system of Apple sees it then", ErrIdentity)
	}
	return nil
}

// forClients reports whether a TLS server may take the certificate of a client: RFC 5280, sections 4.2.1.3 and
// 4.2.1.12, as OpenSSL's X509_PURPOSE_SSL_CLIENT reads them.
func forClients(cert *x509.Certificate) bool {
	const agreeing = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement
	if cert.KeyUsage != 0 && cert.KeyUsage&agreeing == 0 {
		return false
	}
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.ContainsFunc(cert.ExtKeyUsage, func(usage x509.ExtKeyUsage) bool {
		return usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny
	})
}
