package pkcs12

// The object identifiers of RFC 7292, RFC 8018, RFC 5652, RFC 2985 and RFC 9579 that files have.
const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"

	oidKeyBag         = "1.2.840.113549.1.12.10.1.1"
	oidShroudedKeyBag = "1.2.840.113549.1.12.10.1.2"
	oidCertBag        = "1.2.840.113549.1.12.10.1.3"
	oidX509           = "1.2.840.113549.1.9.22.1"
	oidFriendlyName   = "1.2.840.113549.1.9.20"
	oidLocalKeyID     = "1.2.840.113549.1.9.21"

	oidRC4    = "1.2.840.113549.1.12.1.1" // these three are named, not read
	oidRC4x40 = "1.2.840.113549.1.12.1.2"
	oid2DES   = "1.2.840.113549.1.12.1.4"
	oid3DES   = "1.2.840.113549.1.12.1.3" // pbeWithSHAAnd3-KeyTripleDES-CBC
	oidRC2    = "1.2.840.113549.1.12.1.5" // pbeWithSHAAnd128BitRC2-CBC
	oidRC2x40 = "1.2.840.113549.1.12.1.6" // pbeWithSHAAnd40BitRC2-CBC
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidPBMAC1 = "1.2.840.113549.1.5.14"

	oidAES128CBC  = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC  = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC  = "2.16.840.1.101.3.4.1.42"
	oidHMACSHA1   = "1.2.840.113549.2.7"
	oidHMACSHA224 = "1.2.840.113549.2.8"
	oidHMACSHA256 = "1.2.840.113549.2.9"
	oidHMACSHA384 = "1.2.840.113549.2.10"
	oidHMACSHA512 = "1.2.840.113549.2.11"
	oidSHA1       = "1.3.14.3.2.26"
	oidSHA224     = "2.16.840.1.101.3.4.2.4"
	oidSHA256     = "2.16.840.1.101.3.4.2.1"
	oidSHA384     = "2.16.840.1.101.3.4.2.2"
	oidSHA512     = "2.16.840.1.101.3.4.2.3"
)
