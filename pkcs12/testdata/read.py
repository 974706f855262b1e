"""Opens PKCS#12 files (RFC 7292, RFC 8018, RFC 9579) step by step, and prints as JSON what is in them.

usage: read.py PASSWORDFILE FILE...

It is for the files of one encoder and knows no more than those may have. Everything in them must be DER.
"""
import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from der import check, oid, one, read

SHA1, SHA256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"
NULL = b"\x05\x00"
BLOCK = 64


def derive(hash, purpose, password, salt, iterations, length):
    """RFC 7292, B.2."""
    bmp = password.encode("utf-16-be") + b"\0\0"
    fill = lambda b: (b * BLOCK)[: BLOCK * -(-len(b) // BLOCK)]
    inputs, out = fill(salt) + fill(bmp), b""
    while len(out) < length:
        digest = bytes([purpose]) * BLOCK + inputs
        for _ in range(iterations):
            digest = hashlib.new(hash, digest).digest()
        out += digest
        plus = int.from_bytes((digest * BLOCK)[:BLOCK], "big") + 1
        blocks = [int.from_bytes(inputs[i : i + BLOCK], "big") for i in range(0, len(inputs), BLOCK)]
        inputs = b"".join(((b + plus) % (1 << 8 * BLOCK)).to_bytes(BLOCK, "big") for b in blocks)
    return out[:length]


def number(element):
    check(element[0] == 2, "no INTEGER")
    return int.from_bytes(element[1], "big", signed=True)


def algorithm(element):
    """Returns the OID and the elements after it."""
    check(element[0] == 0x30 and element[3][0][0] == 6, "no AlgorithmIdentifier")
    return oid(element[3][0][1]), element[3][1:]


def sha256_hmac(element):
    name, parameters = algorithm(element)
    check(name == "1.2.840.113549.2.9" and [p[2] for p in parameters] == [NULL], "no HMAC-SHA256 with NULL")


def pbkdf2(element, password, lengths):
    name, (parameters,) = algorithm(element)
    check(name == "1.2.840.113549.1.5.12", "no PBKDF2")
    salt, iterations, *given, prf = parameters[3]
    sha256_hmac(prf)
    check([number(g) for g in given] == lengths, "length of the key")
    check(salt[0] == 4 and len(salt[1]) == 16, "salt")
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt[1], number(iterations), 32), number(iterations)


def decrypt(element, ciphertext, password):
    """Returns the plaintext, the OID and the iterations."""
    name, (parameters,) = algorithm(element)
    if name == "1.2.840.113549.1.12.1.3":
        salt, count = parameters[3]
        iterations = number(count)
        check(salt[0] == 4 and len(salt[1]) == 8, "salt")
        key = derive("sha1", 1, password, salt[1], iterations, 24)
        cipher = Cipher(algorithms.TripleDES(key), modes.CBC(derive("sha1", 2, password, salt[1], iterations, 8)))
    else:
        check(name == "1.2.840.113549.1.5.13", "neither 3DES nor PBES2")
        key, iterations = pbkdf2(parameters[3][0], password, [])
        scheme, (iv,) = algorithm(parameters[3][1])
        check(scheme == "2.16.840.1.101.3.4.1.42" and iv[0] == 4, "no AES-256-CBC")
        cipher = Cipher(algorithms.AES(key), modes.CBC(iv[1]))
    decryptor = cipher.decryptor()
    plain = decryptor.update(ciphertext) + decryptor.finalize()
    padding = plain[-1]
    check(plain.endswith(bytes([padding]) * padding), "padding")
    return plain[:-padding], name, iterations


def mac(element, message, password):
    """Verifies the MAC and returns its OID and iterations."""
    info, salt, *count = element[3]
    name, parameters = algorithm(info[3][0])
    check(info[3][1][0] == 4 and salt[0] == 4, "no OCTET STRING")
    if name == "1.2.840.113549.1.5.14":
        check(not count and salt[1] == b"NOT USED", "parts that PBMAC1 does not use")
        scheme = parameters[0][3]
        sha256_hmac(scheme[1])
        key, iterations = pbkdf2(scheme[0], password, [32])
        hash = "sha256"
    else:
        check([p[2] for p in parameters] == [NULL], "no NULL")
        hash = {SHA1: "sha1", SHA256: "sha256"}[name]
        iterations = number(count[0]) if count else 1
        check(not count or iterations != 1, "a default that is written")
        key = derive(hash, 3, password, salt[1], iterations, hashlib.new(hash).digest_size)
    check(hmac.new(key, message, hash).digest() == info[3][1][1], "MAC")
    return name, iterations


def content(element, kind):
    """Returns what a ContentInfo of this type holds."""
    name, (explicit,) = algorithm(element)
    check(name == kind and explicit[0] == 0xA0 and len(explicit[3]) == 1, "ContentInfo")
    return explicit[3][0]


def attributes(bag):
    found = {}
    for group in bag[3][2:]:
        check(group[0] == 0x31 and group[3], "no SET OF attributes")
        for a in group[3]:
            (value,) = a[3][1][3]
            found[oid(a[3][0][1])] = value
    name = found.pop("1.2.840.113549.1.9.20", None)
    key_id = found.pop("1.2.840.113549.1.9.21", None)
    check(not found, "another attribute")
    check(name is None or name[0] == 0x1E, "no BMPString")
    return name and name[1].decode("utf-16-be"), key_id and key_id[1].hex()


def open_file(data, password):
    version, auth, mac_data = one(data)[3]
    check(number(version) == 3, "version")
    message = content(auth, "1.2.840.113549.1.7.1")[1]
    out = {"mac": mac(mac_data, message, password)}
    certs, key = one(message)[3]

    version, info = content(certs, "1.2.840.113549.1.7.6")[3]
    kind, how, encrypted = info[3]
    check(number(version) == 0 and oid(kind[1]) == "1.2.840.113549.1.7.1" and encrypted[0] == 0x80, "EncryptedData")
    plain, *out["certs"] = decrypt(how, encrypted[1], password)
    out["chain"] = []
    for bag in one(plain)[3]:
        check(oid(bag[3][0][1]) == "1.2.840.113549.1.12.10.1.3", "no certificate")
        kind, value = bag[3][1][3][0][3]
        check(oid(kind[1]) == "1.2.840.113549.1.9.22.1" and value[3][0][0] == 4, "no X.509")
        out["chain"].append([value[3][0][1].hex(), *attributes(bag)])

    (bag,) = one(content(key, "1.2.840.113549.1.7.1")[1])[3]
    check(oid(bag[3][0][1]) == "1.2.840.113549.1.12.10.1.2", "no encrypted key")
    how, encrypted = bag[3][1][3][0][3]
    plain, *out["key"] = decrypt(how, encrypted[1], password)
    one(plain)
    out["private"] = [plain.hex(), *attributes(bag)]
    return out


with open(sys.argv[1], encoding="ascii") as f:
    password = f.read()
results = []
for path in sys.argv[2:]:
    with open(path, "rb") as f:
        results.append(open_file(f.read(), password))
json.dump(results, sys.stdout)
