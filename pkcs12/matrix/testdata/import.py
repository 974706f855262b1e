"""Opens every .p12 of a folder with pyca/cryptography, signs with its key and verifies with its certificate and chain.

Prints a JSON object: for each file the members of outcome in outcome_test.go, their bytes in base64.
"""
import base64
import json
import pathlib
import sys

from cryptography import __version__, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12


def b64(data):
    return base64.b64encode(data).decode()


def der(cert):
    return cert.public_bytes(Encoding.DER)


def verify(public, signature, data, hash_):
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), hash_)
    else:
        public.verify(signature, data, ec.ECDSA(hash_))


def sign(key, data):
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def verify_chain(leaf, others, root):
    cert = leaf
    while der(cert) != der(root):
        issuer = next(c for c in others + [root] if c.subject == cert.issuer)
        verify(issuer.public_key(), cert.signature, cert.tbs_certificate_bytes, cert.signature_hash_algorithm)
        cert = issuer


def use(p12, message, root, issuing):
    leaf, cas = p12.cert, p12.additional_certs
    outcome = {"Leaf": b64(der(leaf.certificate)), "CAs": [b64(der(c.certificate)) for c in cas]}
    outcome["Name"] = b64(leaf.friendly_name or b"")
    try:
        signature = sign(p12.key, message)
        verify(leaf.certificate.public_key(), signature, message, hashes.SHA256())
        verify_chain(leaf.certificate, [c.certificate for c in cas] or [issuing], root)
        outcome["Signature"] = b64(signature)
    except Exception as e:
        outcome["Problem"] = b64(repr(e).encode())
    return outcome


def main(folder):
    def read(name):
        return (folder / name).read_bytes()

    root = x509.load_pem_x509_certificate(read("root.pem"))
    issuing = x509.load_pem_x509_certificate(read("issuing.pem"))
    outcomes = {}
    for path in folder.glob("*.p12"):
        try:
            outcome = use(load_pkcs12(path.read_bytes(), read("password")), read("message"), root, issuing)
        except ValueError as e:
            outcome = {"Refused": b64(repr(e).encode())}
        try:
            load_pkcs12(path.read_bytes(), read("wrong"))
        except ValueError as e:
            outcome["Wrong"] = b64(repr(e).encode())
        outcomes[path.name] = outcome
    print(json.dumps(outcomes))


if sys.argv[1] == "--version":
    print(__version__)
else:
    main(pathlib.Path(sys.argv[1]))
