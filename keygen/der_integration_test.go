//go:build integration

package keygen_test

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// readDER takes nothing but DER, also in the values of extensions, and has pyca/cryptography verify the signature.
const readDER = `import sys
sys.path.insert(0, sys.argv[1])
from der import check, oid, one
from cryptography.x509 import load_der_x509_csr
for path in sys.argv[2:]:
    with open(path, "rb") as f:
        data = f.read()
    info = one(data)[3][0][3]
    version, subject, key, attributes = info
    check(version[1] == b"\0" and attributes[0] == 0xA0, "CertificationRequestInfo")
    wholes = [a[2] for a in attributes[3]]
    check(wholes == sorted(wholes), "attributes out of order")
    for a in attributes[3]:
        if oid(a[3][0][1]) == "1.2.840.113549.1.9.14":
            for extension in a[3][1][3][0][3]:
                one(extension[3][-1][1])
    request = load_der_x509_csr(data)
    check(request.is_signature_valid, "signature")
    print(request.subject.rfc4514_string(), [e.oid.dotted_string for e in request.extensions])
`

// TestPythonReader has requests read by a parser that refuses what BER alone allows.
func TestPythonReader(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-c", readDER, "../pkcs12/testdata"}
	for _, alg := range keygen.Algorithms() {
		for name, r := range map[string]*keygen.Request{
			"nothing": {},
			"names": {
				Subject: `UID=z+CN=Zo\C3\AB\, \"x\"+OU=` + strings.Repeat("ä", 64) + `+1.2.3.4=y,O=#0c0341c3a4,E=a@b.test,DC=test`,
				UPNs:    []string{"ü@corp.test"}, SID: sampleSID, SIDForm: keygen.SIDBoth, TemplateName: "Büro",
				PSS: strings.HasPrefix(string(alg), "rsa"),
			},
			"attributes that DER puts into another order": {
				KeyUsage: x509.KeyUsageKeyEncipherment, ClientInfo: &keygen.ClientInfo{Machine: strings.Repeat("m", 500)},
			},
			"everything else": {
				Template:     &keygen.Template{OID: oids("1.3.6.1.4.1.311.21.8.2147483647")[0], Major: 1<<32 - 1, Minor: 1 << 31},
				KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement | x509.KeyUsageDecipherOnly,
				ExtKeyUsages: oids("1.3.6.1.5.5.7.3.2", "2.999.1"), ApplicationPolicies: oids("2.47", "0.0", "2.5.29.37.0"),
				OSVersion:  &keygen.OSVersion{Major: 10, Build: 26100, Platform: 2},
				ClientInfo: &keygen.ClientInfo{ClientID: 1<<32 - 1, Machine: "m", User: `CORP\ü`, Process: "p"},
			},
		} {
			der, err := keygen.CreateRequest(testKey(t, alg), r)
			require.NoError(t, err)
			file := filepath.Join(dir, string(alg)+" "+name)
			require.NoError(t, os.WriteFile(file, der, 0o600))
			args = append(args, file)
		}
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", args...)
	cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, len(args)-3, strings.Count(string(out), "\n"), "%s", out)
}
