package pkcs12

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// platform is a kind of target: the shape that it wants, and from which version on it is known to read Modern. Before
// that, and where no version is given, a file is Compat, which all of them read.
type platform struct {
	name     string
	shape    Shape
	major    [2]int // the first and the last number that a version can begin with, against mistakes
	modern   []int  // from this version on; nil: never
	evidence string // where that is from
}

// platforms is the table behind [ForPlatform]. Only what was read in source, said by the maker, or run is Modern in it.
var platforms = []platform{
	{"macos", LeafOnly, [2]int{10, 99}, nil,
		"Apple's libsecurity_pkcs12 (pkcs12Decode.cpp, Security-61901): the file keychain refuses PBES2. " +
			"Apple's payload com.apple.security.pkcs12: only one certificate may be included."},
	{"ios", LeafOnly, [2]int{3, 99}, []int{18},
		"Apple's p12import.c reads PBES2, as AES-256-CBC with PBKDF2-HMAC-SHA256 whatever the file says, and MACs with " +
			"SHA-2, since Security-61439.1.1 (2024-09); that this is iOS 18 is inferred from the date. Modern files are " +
			"reported to fail on 17 and to work on the iOS of 2026 (7ritn/VaulTLS#176). It wants a MAC of the kind that is " +
			"older than PBMAC1, RSA or EC, and key and certificate with one localKeyID. One certificate: as macos."},
	{"ipados", LeafOnly, [2]int{13, 99}, []int{18}, "The same source and the same release as iOS 18."},
	{"tvos", LeafOnly, [2]int{9, 99}, []int{18}, "The same source; released together with iOS 18. No reports found."},
	{"watchos", LeafOnly, [2]int{2, 99}, []int{11}, "The same source; released together with iOS 18. No reports found."},
	{"visionos", LeafOnly, [2]int{1, 99}, []int{2}, "The same source; released together with iOS 18. No reports found."},
	{"windows", WithoutRoot, [2]int{5, 99}, []int{10, 0, 16299},
		"Microsoft's PKCS12_PBES2_EXPORT_PARAMS: from Windows 10 1709, which is build 16299. Versions as `ver` prints them."},
	{"windows-server", WithoutRoot, [2]int{2003, 2999}, []int{2019},
		"Microsoft's PKCS12_PBES2_EXPORT_PARAMS: from Windows Server 2019; 2016 says wrong password. Versions are years."},
	{"android", WholeChain, [2]int{1, 99}, []int{16},
		"Modern files reported to fail as a wrong password up to 13 (strongswan-docs#5, home-assistant/android#3924), and " +
			"to work on 16 (NeySlim/ultimate-ca-manager#331); nothing is known between. Its CertInstaller " +
			"(CredentialHelper.java) installs the CAs of the file, which Wi-Fi then trusts, and takes the friendlyName."},
	{"chromeos", WithoutRoot, [2]int{1, 999}, nil,
		"Chromium's kcer/helpers/pkcs12_reader.cc (2023) reads with BoringSSL, whose pkcs8.cc knows 3DES and PBES2, and " +
			"which limits iterations to 100 million; NSS did before. From which version on was not found, so it is 3DES."},
	{"java", WithoutRoot, [2]int{1, 99}, []int{11, 0, 12},
		"The CSR JDK-8267701: HmacPBESHA256 is there from 12, 11.0.12 and 8u301; JDK-8153005 made it the default of 16. " +
			"Run: keytool of Java 17."},
	{"linux-openssl", WithoutRoot, [2]int{0, 99}, []int{1, 1, 1},
		"go-pkcs12 names OpenSSL 1.1.1. Run: OpenSSL 3.0 and 4.0, GnuTLS 3.7."},
	{"linux-nss", WithoutRoot, [2]int{3, 99}, []int{3, 87}, "Run: pk12util of NSS 3.87."},
}

// Platforms returns the names that [ForPlatform] takes, sorted.
func Platforms() []string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.name
	}
	slices.Sort(names)
	return names
}

// ForPlatform returns the profile for a platform of [Platforms] in a version, such as ("ios", "17.4"), ("windows",
// "10.0.19045"), ("windows-server", "2019") or ("linux-nss", "3.87"): up to four numbers with dots. An empty version
// stands for every version, also those of which little is known. A table in this package, with its sources, says what
// the platform reads; when in doubt it is [Compat].
//
// The shape is [LeafOnly] for Apple's systems, whose configuration profiles take one certificate in a file and get the
// CAs beside it, [WholeChain] for Android, which takes the CA that Wi-Fi is to trust from the file, and [WithoutRoot]
// elsewhere: those trust a root only if it comes by other means. Who wants it otherwise takes [Profile.Algorithms], and
// gives Encode the chain that is to be in the file.
//
// The error matches [ErrUnsupported].
func ForPlatform(name, version string) (Profile, error) {
	i := slices.IndexFunc(platforms, func(p platform) bool { return p.name == name })
	if i < 0 {
		return Profile{}, fmt.Errorf("%w: the platform %q; there are %v", ErrUnsupported, shorten(name), Platforms())
	}
	p := platforms[i]
	profile := Profile{shape: p.shape, platform: name, version: version}
	if version == "" {
		return profile, nil
	}
	numbers, ok := parseVersion(version)
	if !ok || numbers[0] < p.major[0] || numbers[0] > p.major[1] {
		return Profile{}, fmt.Errorf("%w: the version %q of %s; it has up to four numbers with dots, the first %d to %d",
			ErrUnsupported, shorten(version), name, p.major[0], p.major[1])
	}
	if p.modern != nil && slices.Compare(numbers, p.modern) >= 0 {
		profile.set = modern
	}
	return profile, nil
}

// parseVersion reads "10.0.19045". Numbers have no more than six digits, and no zero in front.
func parseVersion(s string) ([]int, bool) {
	parts := strings.SplitN(s, ".", 5)
	if len(parts) > 4 {
		return nil, false
	}
	numbers := make([]int, len(parts))
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || len(part) > 6 || strconv.Itoa(n) != part || n < 0 {
			return nil, false
		}
		numbers[i] = n
	}
	return numbers, true
}

// splitPlatform takes "ios-17.4" apart. Names of platforms have hyphens too; versions begin with a digit.
func splitPlatform(s string) (name, version string, ok bool) {
	for _, p := range platforms {
		switch rest, found := strings.CutPrefix(s, p.name); {
		case found && rest == "":
			return p.name, "", true
		case found && len(rest) > 1 && rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9':
			return p.name, rest[1:], true
		}
	}
	return "", "", false
}
