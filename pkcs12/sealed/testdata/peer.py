"""A recipient and a maker of sealed bundles, written from PROTOCOL.md and RFC 9180 alone.

	peer.py open  < {"bundle": {...}, "key": PKCS#8 in base64}            > {"pkcs12": base64, "password": text, "library": bool}
	peer.py seal  < {"recipient": SubjectPublicKeyInfo in base64, ...}    > {"bundle": {...}, "signer": SubjectPublicKeyInfo in base64}

HPKE is done here step by step; where the library has an implementation of its own, that has to agree.
"""

import base64
import hashlib
import json
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:
    from cryptography.hazmat.primitives import hpke
except ImportError:  # older ones have none
    hpke = None

KEMS = {"P-256": (0x0010, 65), "X25519": (0x0020, 32)}
MEMBERS = ["version", "tenant", "job", "connector", "signerKey", "recipient", "recipientKey", "kem", "thumbprint"]
DER, SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


def b64(text):
    return base64.b64decode(text, validate=True)


def text(b):
    return base64.b64encode(b).decode()


def field(b):
    return struct.pack(">I", len(b)) + b


def header(bundle, context):
    """Section 7.7: the context, then every clear member."""
    out = field(context.encode())
    for name in MEMBERS:
        value = bundle[name]
        if name == "version":
            out += field(struct.pack(">Q", value))
        elif name in ("tenant", "job", "recipient", "kem"):
            out += field(value.encode())
        else:
            out += field(b64(value))
    return out


# RFC 9180, section 4.
def extract(salt, ikm):
    h = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    h.update(ikm)
    return h.finalize()


def expand(prk, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        h = hmac.HMAC(prk, hashes.SHA256())
        h.update(block + info + bytes([i]))
        block = h.finalize()
        out, i = out + block, i + 1
    return out[:length]


def labeled_extract(suite, salt, label, ikm):
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


# Section 4.1.
def raw(public):
    if isinstance(public, x25519.X25519PublicKey):
        return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def parse_raw(kem, b):
    if kem == "X25519":
        return x25519.X25519PublicKey.from_public_bytes(b)
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b)


def agree(private, public):
    if isinstance(private, x25519.X25519PrivateKey):
        return private.exchange(public)
    return private.exchange(ec.ECDH(), public)


def shared_secret(kem, dh, kem_context):
    suite = b"KEM" + struct.pack(">H", KEMS[kem][0])
    prk = labeled_extract(suite, b"", b"eae_prk", dh)
    return labeled_expand(suite, prk, b"shared_secret", kem_context, 32)


# Section 5.1, base mode; 5.2, the first message.
def schedule(kem, secret, info):
    suite = b"HPKE" + struct.pack(">HHH", KEMS[kem][0], 0x0001, 0x0002)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    prk = labeled_extract(suite, secret, b"secret", b"")
    return labeled_expand(suite, prk, b"key", context, 32), labeled_expand(suite, prk, b"base_nonce", context, 12)


def library(kem):
    if hpke is None:
        return None
    which = {"P-256": hpke.KEM.P256, "X25519": hpke.KEM.X25519}[kem]
    return hpke.Suite(which, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def open_bundle(bundle, key):
    if set(bundle) != set(MEMBERS + ["enc", "ciphertext", "signature"]) or bundle["version"] != 1:
        raise ValueError("not a bundle of version 1")
    signer_spki, enc, ciphertext = b64(bundle["signerKey"]), b64(bundle["enc"]), b64(bundle["ciphertext"])
    if hashlib.sha256(signer_spki).digest() != b64(bundle["connector"]):
        raise ValueError("another signer")
    signed = header(bundle, "adcs-connector.v1 sealed delivery") + field(enc) + field(ciphertext)
    signer = serialization.load_der_public_key(signer_spki)
    signer.verify(b64(bundle["signature"]), signed, ec.ECDSA(hashes.SHA256()))
    if hashlib.sha256(key.public_key().public_bytes(DER, SPKI)).digest() != b64(bundle["recipientKey"]):
        raise ValueError("another recipient")

    kem, info = bundle["kem"], header(bundle, "adcs-connector.v1 sealed delivery seal")
    if len(enc) != KEMS[kem][1]:
        raise ValueError("length of enc")
    secret = shared_secret(kem, agree(key, parse_raw(kem, enc)), enc + raw(key.public_key()))
    aead, nonce = schedule(kem, secret, info)
    plaintext = AESGCM(aead).decrypt(nonce, ciphertext, b"")
    if library(kem) and library(kem).decrypt(enc + ciphertext, key, info) != plaintext:
        raise ValueError("the library's HPKE disagrees")
    n = struct.unpack(">I", plaintext[:4])[0]
    p12, rest = plaintext[4:4 + n], plaintext[4 + n:]
    if struct.unpack(">I", rest[:4])[0] != len(rest) - 4:
        raise ValueError("not two fields")
    return p12, rest[4:].decode()


def seal_bundle(order):
    recipient_spki = b64(order["recipient"])
    to = serialization.load_der_public_key(recipient_spki)
    kem = "X25519" if isinstance(to, x25519.X25519PublicKey) else "P-256"
    identity = ec.generate_private_key(ec.SECP256R1())
    signer_spki = identity.public_key().public_bytes(DER, SPKI)
    bundle = {
        "version": 1, "tenant": order["tenant"], "job": order["job"], "connector": text(hashlib.sha256(signer_spki).digest()),
        "signerKey": text(signer_spki), "recipient": order["id"], "recipientKey": text(hashlib.sha256(recipient_spki).digest()),
        "kem": kem, "thumbprint": order["thumbprint"],
    }
    info = header(bundle, "adcs-connector.v1 sealed delivery seal")
    plaintext = field(b64(order["pkcs12"])) + field(order["password"].encode())
    if library(kem) and order["library"]:
        both = library(kem).encrypt(plaintext, to, info)
        enc, ciphertext = both[:KEMS[kem][1]], both[KEMS[kem][1]:]
    else:
        once = x25519.X25519PrivateKey.generate() if kem == "X25519" else ec.generate_private_key(ec.SECP256R1())
        enc = raw(once.public_key())
        aead, nonce = schedule(kem, shared_secret(kem, agree(once, to), enc + raw(to)), info)
        ciphertext = AESGCM(aead).encrypt(nonce, plaintext, b"")
    bundle["enc"], bundle["ciphertext"] = text(enc), text(ciphertext)
    signed = header(bundle, "adcs-connector.v1 sealed delivery") + field(enc) + field(ciphertext)
    bundle["signature"] = text(identity.sign(signed, ec.ECDSA(hashes.SHA256())))
    return bundle, signer_spki


def main():
    given = json.load(sys.stdin)
    if sys.argv[1] == "open":
        try:
            p12, password = open_bundle(given["bundle"], serialization.load_der_private_key(b64(given["key"]), None))
        except InvalidSignature:
            sys.exit("the signature does not verify")
        json.dump({"pkcs12": text(p12), "password": password, "library": hpke is not None}, sys.stdout)
    else:
        bundle, signer = seal_bundle(given)
        json.dump({"bundle": bundle, "signer": text(signer)}, sys.stdout)


main()
