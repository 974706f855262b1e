"""A certification authority on impacket's structures and the openssl command line, to try clients with.

usage: foreign_ca.py [OPTION...] FOLDER      (-h lists the options)

It is an endpoint mapper on one port of 127.0.0.1 and ICertPassage on another, both chosen by the system. It makes a
root and an issuing CA in FOLDER, prints {"epm": port, "ca": port, "roots": file} on one line, and serves until its
standard input ends. The options choose among what a server may legally do; the client is held to the specifications
(C706, MS-RPCE, MS-NLMP, MS-ICPR) all the same. What it does wrong is printed on standard error as "violation: ...",
and the connection is closed.

The user is CORP\\enroller, with or without a domain, with the password in PEER_PASSWORD; with --keytab, he may log on with
Kerberos too, which MIT's GSSAPI accepts. The template decides what happens: "Held" is held, and issued when it is retrieved
for the second time; "Denied" is denied; "Fault" is answered with a fault; others are issued.
"""
import argparse
import hmac
import os
import socketserver
import struct
import subprocess
import sys
import threading
import time
import uuid
from hashlib import md5

from Cryptodome.Cipher import ARC4
from impacket import ntlm
from impacket.dcerpc.v5 import epm
from impacket.dcerpc.v5.dtypes import DWORD, LPWSTR, NULL, PBYTE, ULONG
from impacket.dcerpc.v5.ndr import NDRCALL, NDRSTRUCT
from impacket.dcerpc.v5.rpcrt import (MSRPC_ALTERCTX, MSRPC_ALTERCTX_R, MSRPC_AUTH3, MSRPC_BIND, MSRPC_BINDACK,
                                      MSRPC_BINDNAK, MSRPC_FAULT, MSRPC_REQUEST, SEC_TRAILER, CtxItem, CtxItemResult,
                                      MSRPCBind, MSRPCHeader, MSRPCRespHeader)
from impacket.uuid import uuidtup_to_bin

ICPR = uuidtup_to_bin(("91ae6020-9e3c-11cf-8d7c-00aa00c091be", "0.0"))
EPM = uuidtup_to_bin(("e1af8308-5d1f-11c9-91a4-08002b14a0fa", "3.0"))
NDR = uuidtup_to_bin(("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0"))
NDR64 = uuidtup_to_bin(("71710533-beba-4937-8319-b5dbef9ccc36", "1.0"))

FIRST, LAST, SIGN_HEADER, DID_NOT_EXECUTE, OBJECT = 0x01, 0x02, 0x04, 0x20, 0x80
PRIVACY = 6
RAW, SPNEGO, KERBEROS = 10, 9, 16


class Violation(Exception):
    """The client broke a rule."""


class Fault(Exception):
    """The call ends with a fault."""

    def __init__(self, status, flags=0):
        Exception.__init__(self)
        self.status, self.flags = status, flags


class Refused(Exception):
    """The credential is not accepted. The token, if any, tells the client why."""

    def __init__(self, text, token=None):
        Exception.__init__(self, text)
        self.token = token


def need(condition, text, *args):
    if not condition:
        raise Violation(text % args)


# --- MS-ICPR and MS-WCCE ---------------------------------------------------------------------------------------------


class CERTTRANSBLOB(NDRSTRUCT):  # MS-WCCE section 2.2.2.2
    structure = (
        ("cb", ULONG),
        ("pb", PBYTE),
    )


class CertServerRequest(NDRCALL):  # MS-ICPR section 3.2.4.1.1
    opnum = 0
    structure = (
        ("dwFlags", DWORD),
        ("pwszAuthority", LPWSTR),
        ("pdwRequestId", DWORD),
        ("pctbAttribs", CERTTRANSBLOB),
        ("pctbRequest", CERTTRANSBLOB),
    )


class CertServerRequestResponse(NDRCALL):
    structure = (
        ("pdwRequestId", DWORD),
        ("pdwDisposition", ULONG),
        ("pctbCert", CERTTRANSBLOB),
        ("pctbEncodedCert", CERTTRANSBLOB),
        ("pctbDispositionMessage", CERTTRANSBLOB),
        ("ErrorCode", ULONG),
    )


CA_CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
CN = replaced
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = lists
[lists]
database = index.txt
default_md = sha256
default_crl_days = 7
"""


class Authority:
    """A root, an issuing CA, and what was asked of it."""

    def __init__(self, folder, o):
        self.folder, self.o, self.lock = folder, o, threading.Lock()
        self.requests = {}  # id: [csr, retrievals to go until it is issued, leaf in DER]
        with open(self.path("ca.cnf"), "w") as f:
            f.write(CA_CONFIG)
        open(self.path("index.txt"), "w").close()
        new_key = ["req", "-config", "ca.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        self.openssl(*new_key, "-x509", "-days", "30", "-extensions", "authority", "-subj", "/CN=Foreign Root",
                     "-keyout", "root.key", "-out", "root.pem")
        self.openssl(*new_key, "-subj", "/CN=" + o.name, "-keyout", "issuing.key", "-out", "issuing.csr")
        self.openssl("x509", "-req", "-in", "issuing.csr", "-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "2",
                     "-days", "30", "-extfile", "ca.cnf", "-extensions", "authority", "-out", "issuing.pem")
        self.openssl("ca", "-config", "ca.cnf", "-gencrl", "-cert", "issuing.pem", "-keyfile", "issuing.key",
                     "-out", "list.pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *args, data=None):
        return subprocess.run(("openssl",) + args, cwd=self.folder, input=data, check=True, capture_output=True).stdout

    def issue(self, ident, csr):
        self.openssl("x509", "-req", "-inform", "DER", "-CA", "issuing.pem", "-CAkey", "issuing.key",
                     "-set_serial", str(ident + 1000), "-days", "7", "-extfile", "ca.cnf", "-extensions", "leaf",
                     "-copy_extensions", "copyall", "-out", "leaf%d.pem" % ident, data=csr)
        return self.openssl("x509", "-in", "leaf%d.pem" % ident, "-outform", "DER")

    def chain(self, ident):
        """pctbCert: a degenerate SignedData."""
        if self.o.chain == "bare":
            return self.requests[ident][2]
        files = {"full": ["leaf%d.pem" % ident, "issuing.pem", "root.pem"],
                 "reversed": ["root.pem", "issuing.pem", "leaf%d.pem" % ident],
                 "leaf": ["leaf%d.pem" % ident],
                 "authorities": ["issuing.pem", "root.pem"], "issuing": ["issuing.pem"],
                 "lists": ["leaf%d.pem" % ident, "issuing.pem", "root.pem"], "none": []}[self.o.chain]
        if not files:
            return b""
        args = [a for f in files for a in ("-certfile", f)]
        lists = ["-in", "list.pem"] if self.o.chain == "lists" else ["-nocrl"]
        return self.openssl("crl2pkcs7", *lists, *args, "-outform", "DER")

    def process(self, flags, name, ident, attributes, csr):
        """Returns id, disposition, chain, leaf, message and return value."""
        with self.lock:
            if name.lower() != self.o.name.lower():
                return 0, 0, b"", b"", "", 0x80070057
            if ident:
                need(flags & 0xffff00ff == 0 and not csr and not attributes, "retrieval with flags %#x", flags)
                return self.retrieve(ident)
            need(flags in (0, 0x100), "dwFlags %#x", flags)
            return self.submit(attributes, csr)

    def submit(self, attributes, csr):
        need(attributes[-2:] == b"\0\0" and len(attributes) % 2 == 0, "attributes do not end with a NUL")
        lines = attributes.decode("utf-16-le")[:-1].split("\n")
        need(not any("\0" in line or "\r" in line for line in lines), "attributes %r", lines)
        template = dict(line.split(":", 1) for line in lines).get("CertificateTemplate")
        ident = len(self.requests) + 1
        self.openssl("req", "-inform", "DER", "-verify", "-noout", data=csr)
        self.requests[ident] = [csr, 0, b""]
        if template == "Fault":
            raise Fault(self.o.fault_status)
        if template == "Denied":
            return ident, 0x80094012, b"", b"", "Denied by Policy Module", 0
        if template == "Refused":
            return ident, 2, b"", b"", "Denied by Policy Module", 0
        if template == "Held":
            self.requests[ident][1] = 2
            return ident, 5, b"", b"", "Taken Under Submission", 0
        return self.issued(ident)

    def retrieve(self, ident):
        if ident not in self.requests:
            return 0, 0x80094004, b"", b"", "", 0
        row = self.requests[ident]
        row[1] = max(0, row[1] - 1)
        if row[1]:
            return ident, 5, b"", b"", "Taken Under Submission", 0
        return self.issued(ident)

    def issued(self, ident):
        row = self.requests[ident]
        row[2] = row[2] or self.issue(ident, row[0])
        return ident, 3, self.chain(ident), row[2], "Issued", 0

    def call(self, opnum, stub):
        """CertServerRequest, from stub to stub."""
        if opnum != 0:
            raise Fault(0x1c010002)
        r = CertServerRequest()
        r.fromString(stub)
        need(r.getData()[:4] == stub[:4], "stub cannot be read")
        blobs = []
        for name in ("pctbAttribs", "pctbRequest"):
            b = r[name]["pb"]
            blobs.append(b"".join(b) if isinstance(b, list) else b)
            need(len(blobs[-1]) == r[name]["cb"], "%s has %d bytes, cb is %d", name, len(blobs[-1]), r[name]["cb"])
        name = r["pwszAuthority"]
        need(name[-1:] == "\0", "the name of the CA does not end with a NUL")
        a = self.process(r["dwFlags"], name[:-1], r["pdwRequestId"], *blobs)
        return self.answer(*a)

    def answer(self, ident, disposition, chain, leaf, message, ret):
        message = {"nul": message + "\0", "bare": message, "none": ""}[self.o.message].encode("utf-16-le")
        a = CertServerRequestResponse()
        a["pdwRequestId"], a["pdwDisposition"], a["ErrorCode"] = ident, disposition, ret
        names = (("pctbCert", chain), ("pctbEncodedCert", leaf), ("pctbDispositionMessage", message))
        for i, (name, value) in enumerate(names):
            a[name]["cb"] = len(value)
            a[name]["pb"] = value if value or self.o.empty == "pointer" else NULL
            if value and self.o.referents == "windows":
                a[name].fields["pb"].fields["ReferentID"] = 0x20000 + 4 * i
        return a.getData()


# --- the endpoint mapper ---------------------------------------------------------------------------------------------


class Mapper:
    def __init__(self, o):
        self.o, self.port = o, 0

    def tower(self, interface, transfer, *floors):
        """C706 appendix L."""
        sides = [(b"\x0d" + interface[:18], interface[18:]), (b"\x0d" + transfer[:18], transfer[18:])] + list(floors)
        out = struct.pack("<H", len(sides))
        for left, right in sides:
            out += struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right
        return out

    def towers(self):
        port = struct.pack(">H", self.port)
        connection = (b"\x0b", b"\0\0")
        tcp = self.tower(ICPR, NDR, connection, (b"\x07", port), (b"\x09", b"\x7f\0\0\x01"))
        any_address = self.tower(ICPR, NDR64, connection, (b"\x07", port), (b"\x09", b"\0\0\0\0"))
        pipe = self.tower(ICPR, NDR, connection, (b"\x0f", b"\\pipe\\cert\0"), (b"\x11", b"\\\\CA\0"))
        http = self.tower(ICPR, NDR, connection, (b"\x1f", b"\x02\x51"), (b"\x09", b"\x7f\0\0\x01"))
        datagram = self.tower(ICPR, NDR, (b"\x0a", b"\0\0"), (b"\x08", b"\x01\xbb"), (b"\x09", b"\x7f\0\0\x01"))
        local = self.tower(ICPR, NDR, (b"\x0c", b"\0\0"), (b"\x10", b"OLE1234\0"))
        return {"one": [tcp], "any": [any_address], "twice": [tcp, tcp], "none": [],
                "many": [pipe, local, http, datagram, any_address, tcp]}[self.o.towers]

    def call(self, opnum, stub):
        if opnum != 3:
            raise Fault(0x1c010002)
        r = epm.ept_map()
        r.fromString(stub)
        octets = b"".join(r["map_tower"]["tower_octet_string"])
        need(len(octets) == r["map_tower"]["tower_length"], "tower of %d bytes", len(octets))
        tower = epm.EPMTower(octets)
        need(tower["NumberOfFloors"] == 5 and octets[5:23] == ICPR[:18], "ept_map of another interface")
        need(octets[-16:-13] == b"\x01\0\x07", "ept_map of another protocol")
        most = r["max_towers"]
        need(most > 0, "ept_map of no towers")
        towers = self.towers()[:most]
        status = 0 if towers else 0x16c9a0d6
        # With a handle that is not zero, more could be asked for.
        out = (struct.pack("<L", 0) + uuid.uuid4().bytes) if self.o.towers == "many" else bytes(20)
        out += struct.pack("<L", len(towers))
        out += struct.pack("<LLL", len(towers) if self.o.array == "exact" else most, 0, len(towers))
        out += b"".join(struct.pack("<L", i + (0x20000 if self.o.referents == "windows" else 3))
                        for i in range(len(towers)))
        for t in towers:
            out += bytes(-len(out) % 4) + struct.pack("<LL", len(t), len(t)) + t
        return out + bytes(-len(out) % 4) + struct.pack("<L", status)


# --- NTLM ------------------------------------------------------------------------------------------------------------


REQUIRED = (ntlm.NTLMSSP_NEGOTIATE_UNICODE | ntlm.NTLMSSP_NEGOTIATE_SIGN | ntlm.NTLMSSP_NEGOTIATE_SEAL |
            ntlm.NTLMSSP_NEGOTIATE_NTLM | ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY | ntlm.NTLMSSP_NEGOTIATE_128)


class NTLMAcceptor:
    """The server's side of MS-NLMP: NTLMv2 with extended session security."""

    def __init__(self, o):
        self.o, self.messages, self.sequence = o, [], {"Client": 0, "Server": 0}

    def challenge(self, negotiate):
        n = ntlm.NTLMAuthNegotiate()
        n.fromString(negotiate)
        need(negotiate[:12] == b"NTLMSSP\0\x01\0\0\0", "not a NEGOTIATE_MESSAGE")
        offered = n["flags"]
        need(offered & REQUIRED == REQUIRED, "NEGOTIATE with flags %#x", offered)
        flags = offered & (REQUIRED | ntlm.NTLMSSP_NEGOTIATE_ALWAYS_SIGN)
        flags |= ntlm.NTLMSSP_REQUEST_TARGET | ntlm.NTLMSSP_TARGET_TYPE_DOMAIN
        flags |= offered & ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO  # for those who ask
        for name, bit in (("keyexch", ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH), ("56", ntlm.NTLMSSP_NEGOTIATE_56),
                          ("version", ntlm.NTLMSSP_NEGOTIATE_VERSION)):
            if name not in self.o.without:
                flags |= offered & bit
        if "sign" in self.o.without:  # as impacket's own smbserver answers
            flags &= ~(ntlm.NTLMSSP_NEGOTIATE_SIGN | ntlm.NTLMSSP_NEGOTIATE_SEAL | ntlm.NTLMSSP_NEGOTIATE_ALWAYS_SIGN)
        pairs = ntlm.AV_PAIRS()
        pairs[ntlm.NTLMSSP_AV_DOMAINNAME] = "CORP".encode("utf-16-le")
        pairs[ntlm.NTLMSSP_AV_HOSTNAME] = "FOREIGN".encode("utf-16-le")
        if "dns" not in self.o.without:
            pairs[ntlm.NTLMSSP_AV_DNS_DOMAINNAME] = "corp.test".encode("utf-16-le")
            pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME] = "foreign.corp.test".encode("utf-16-le")
        if "timestamp" not in self.o.without:
            pairs[ntlm.NTLMSSP_AV_TIME] = struct.pack("<Q", int(time.time() * 10000000) + 116444736000000000)
        if self.o.bindings:
            pairs[ntlm.NTLMSSP_AV_CHANNEL_BINDINGS] = bytes(16)
        c = ntlm.NTLMAuthChallenge()
        c["flags"], c["challenge"], c["reserved"] = flags, os.urandom(8), bytes(8)
        c["domain_name"] = "CORP".encode("utf-16-le")
        c["Version"] = b"\x0a\0\x7c\x4f\0\0\0\x0f" if flags & ntlm.NTLMSSP_NEGOTIATE_VERSION else b""
        c["domain_offset"] = 48 + len(c["Version"])
        c["TargetInfoFields"] = pairs
        c["TargetInfoFields_offset"] = c["domain_offset"] + len(c["domain_name"])
        self.flags, self.nonce, self.pairs = flags, c["challenge"], pairs
        self.messages = [negotiate, self.lay_out(c) if self.o.layout == "gaps" else c.getData()]
        return self.messages[1]

    def lay_out(self, c):
        """A challenge with the target information before the name and with gaps around them."""
        data, name, info = c.getData(), c["domain_name"], c["TargetInfoFields"]
        data = data[:c["domain_offset"]] + b"\xcc" * 4
        out = bytearray(data + info + b"\xcc" * 6 + name + b"\xcc" * 2)
        struct.pack_into("<L", out, 44, len(data))
        struct.pack_into("<L", out, 16, len(data) + len(info) + 6)
        return bytes(out)

    def authenticate(self, token):
        need(token[:12] == b"NTLMSSP\0\x03\0\0\0" and len(token) >= 88, "not an AUTHENTICATE_MESSAGE")

        def field(at):
            size, _, offset = struct.unpack_from("<HHL", token, at)
            need(size == 0 or 88 <= offset and offset + size <= len(token), "field at %d of AUTHENTICATE", at)
            return token[offset:offset + size]

        lm, nt, domain, user, session_key = (field(at) for at in (12, 20, 28, 36, 52))
        flags, = struct.unpack_from("<L", token, 60)
        agreed = REQUIRED | ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH
        if "sign" in self.o.without:  # what this server did not name says nothing
            agreed &= ~(ntlm.NTLMSSP_NEGOTIATE_SIGN | ntlm.NTLMSSP_NEGOTIATE_SEAL)
        need(flags & agreed == self.flags & agreed, "AUTHENTICATE with flags %#x", flags)
        domain, user = domain.decode("utf-16-le"), user.decode("utf-16-le")
        need(len(nt) > 44 + 4, "no NTLMv2 response")
        known = self.o.user.lower()
        if (domain.lower(), user.lower()) not in (("corp", known), ("corp.test", known), ("", known),
                                                  ("", known + "@corp.test")):
            raise Refused("no user %s\\%s" % (domain, user))
        key = ntlm.NTOWFv2(user, os.environ["PEER_PASSWORD"], domain)
        proof = ntlm.hmac_md5(key, self.nonce + nt[16:])
        if not hmac.compare_digest(proof, nt[:16]):
            raise Refused("wrong password")
        bits = self.check_pairs(nt)
        base = ntlm.hmac_md5(key, proof)
        if self.pairs[ntlm.NTLMSSP_AV_TIME] is None and lm.strip(b"\0"):
            need(lm == ntlm.hmac_md5(key, self.nonce + nt[32:40]) + nt[32:40], "wrong LMv2 response")
        exchange = ntlm.KXKEY(self.flags, base, lm, self.nonce, "", "", "", True)
        self.session_key = exchange
        if self.flags & ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH:
            need(len(session_key) == 16, "session key of %d bytes", len(session_key))
            self.session_key = ARC4.new(exchange).encrypt(session_key)
        if bits & 2:
            mic = ntlm.hmac_md5(self.session_key, b"".join(self.messages) + token[:72] + bytes(16) + token[88:])
            need(hmac.compare_digest(mic, token[72:88]), "wrong MIC")
        elif self.o.mic:
            raise Refused("no MIC")
        self.reset()

    def check_pairs(self, nt):
        """Checks the target information in the response against ours, and returns the value of MsvAvFlags."""
        need(nt[16:18] == b"\x01\x01", "NTLMv2 response of version %r", nt[16:18])
        pairs = ntlm.AV_PAIRS(nt[44:])
        for ident, (_, value) in self.pairs.fields.items():
            need(pairs[ident] is not None and pairs[ident][1] == value, "target information %d is not ours", ident)
        stamp = self.pairs[ntlm.NTLMSSP_AV_TIME]
        if stamp is not None:
            need(nt[24:32] == stamp[1], "timestamp is not ours")
        bits = pairs[ntlm.NTLMSSP_AV_FLAGS]
        bits = struct.unpack("<L", bits[1])[0] if bits else 0
        need(stamp is None or bits & 2, "timestamp, but no MIC")
        return bits

    def signature_size(self, body):
        return 16

    def reset(self):
        """Starts the key streams."""
        self.signing = {side: ntlm.SIGNKEY(self.flags, self.session_key, side) for side in ("Client", "Server")}
        self.stream = {side: ARC4.new(ntlm.SEALKEY(self.flags, self.session_key, side)).encrypt
                       for side in ("Client", "Server")}

    def mac(self, side, signed):
        sequence = self.sequence[side]
        self.sequence[side] += 1
        return ntlm.SIGN(self.flags, self.signing[side], signed, sequence, self.stream[side]).getData()

    def seal(self, before, body, after):
        # What is signed is the whole PDU, with or without header signing: MS-NLMP section 3.4.6.1
        sealed, signature = ntlm.SEAL(self.flags, self.signing["Server"], None, before + body + after, body,
                                      self.sequence["Server"], self.stream["Server"])
        self.sequence["Server"] += 1
        return sealed, signature.getData()

    def unseal(self, before, body, after, signature):
        plain = self.stream["Client"](body)
        need(hmac.compare_digest(self.mac("Client", before + plain + after), signature), "wrong signature")
        return plain


# --- SPNEGO ----------------------------------------------------------------------------------------------------------


OID_SPNEGO = bytes.fromhex("06062b0601050502")
OID_NTLM = bytes.fromhex("060a2b06010401823702020a")
OID_KERBEROS = bytes.fromhex("06092a864886f712010202"), bytes.fromhex("06092a864882f712010202")


def der(tag, content):
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + struct.pack(">H", n)
    return bytes([tag]) + size + content


def elements(data):
    """The elements of DER data as (tag, content)."""
    out = []
    while data:
        n, at = data[1], 2
        if n & 0x80:
            at += n & 0x7f
            n = int.from_bytes(data[2:at], "big")
        need(at + n <= len(data), "DER is cut off")
        out.append((data[0], data[at:at + n]))
        data = data[at + n:]
    return out


class SPNEGOAcceptor:
    """RFC 4178 with NTLM inside; Kerberos is left to MIT, SPNEGO and all."""

    def __init__(self, o):
        self.o, self.mechanism, self.mechs, self.mic, self.given = o, None, b"", False, None

    def token(self, data):
        """Returns the answer and whether that is all."""
        if self.given:
            return self.given.token(data)
        if self.mechanism is None:
            return self.first(data)
        (_, sequence), = elements(elements(data)[0][1])
        fields = dict(elements(sequence))
        token = elements(fields[0xa2])[0][1]
        if self.mechanism.messages == []:
            return self.answer(b"\x01", der(0xa2, der(4, self.mechanism.challenge(token)))), False
        self.mechanism.authenticate(token)
        need(0xa3 in fields, "no mechListMIC")
        need(hmac.compare_digest(elements(fields[0xa3])[0][1], self.mechanism.mac("Client", self.mechs)), "wrong mechListMIC")
        mic = self.mechanism.mac("Server", self.mechs)
        self.mechanism.reset()
        return self.answer(b"\0", der(0xa3, der(4, mic))), True

    def first(self, data):
        (tag, frame), = elements(data)
        need(tag == 0x60 and frame.startswith(OID_SPNEGO), "not an initial SPNEGO token")
        (_, choice), = elements(frame[len(OID_SPNEGO):])
        (_, sequence), = elements(choice)
        fields = dict(elements(sequence))
        self.mechs = fields[0xa0]
        (_, offered), = elements(self.mechs)
        if self.o.keytab and any(oid in self.mechs for oid in OID_KERBEROS):
            self.given = self.mechanism = kerberos(self.o)
            return self.given.token(data)
        if OID_NTLM not in offered:
            raise Refused("NTLM is not offered")
        self.mechanism = NTLMAcceptor(self.o)
        if not offered.startswith(OID_NTLM):  # the token is of another mechanism, and the choice has to be verified
            return self.answer(b"\x03", b"", OID_NTLM), False
        challenge = self.mechanism.challenge(elements(fields[0xa2])[0][1])
        return self.answer(b"\x01", der(0xa2, der(4, challenge)), OID_NTLM), False

    def answer(self, state, rest, mechanism=b""):
        chosen = der(0xa1, mechanism) if mechanism else b""
        return der(0xa1, der(0x30, der(0xa0, b"\x0a\x01" + state) + chosen + rest))


def kerberos(o):
    sys.dont_write_bytecode = True  # nothing is left beside the script
    from foreign_gssapi import GSSAcceptor  # needs MIT's library, which NTLM does not
    return GSSAcceptor(o, need, Refused)


# --- DCE/RPC ---------------------------------------------------------------------------------------------------------


class Connection(socketserver.StreamRequestHandler):
    """One association: C706 chapter 12, MS-RPCE."""

    disable_nagle_algorithm = True

    def handle(self):
        self.o, self.server_call = self.server.o, self.server.call
        self.security = self.auth = None  # the acceptor, and (type, context id)
        self.complete = self.refused = self.sign_header = False
        self.bound, self.stub, self.calls = None, b"", 0
        try:
            while self.pdu():
                pass
        except Violation as v:
            print("violation: %s" % v, file=sys.stderr, flush=True)
        except (ConnectionError, BrokenPipeError):
            pass

    def pdu(self):
        head = self.rfile.read(16)
        if len(head) < 16:
            return False
        major, minor, kind, flags, drep, size, auth_size, call = struct.unpack("<BBBBLHHL", head)
        need((major, minor, drep) == (5, 0, 0x10), "header %s", head.hex())
        need(size <= (self.o.fragment if self.bound else 5840), "fragment of %d bytes", size)
        raw = head + self.rfile.read(size - 16)
        need(len(raw) == size, "PDU is cut off")
        trailer, token, end = None, b"", size
        if auth_size:
            end = size - auth_size - 8
            trailer, token = SEC_TRAILER(raw[end:end + 8]), raw[end + 8:]
            need(end % 4 == 0 and end >= 16, "trailer at %d", end)
            need(trailer["auth_rsvrd"] == 0 and trailer["auth_level"] == PRIVACY, "level %d", trailer["auth_level"])
            need(trailer["auth_pad_len"] < 16, "padding of %d bytes", trailer["auth_pad_len"])
        if kind in (MSRPC_BIND, MSRPC_ALTERCTX):
            need(flags & 3 == 3, "bind in fragments")
            return self.bind(kind, flags, call, raw[16:end], trailer, token)
        if kind == MSRPC_AUTH3:
            need(self.security and self.auth == (trailer["auth_type"], trailer["auth_ctx_id"]), "AUTH3 of another context")
            return self.auth3(call, token)
        need(kind == MSRPC_REQUEST, "PDU of type %d", kind)
        return self.request_pdu(flags, call, raw, end, trailer, token)

    def bind(self, kind, flags, call, body, trailer, token):
        b = MSRPCBind(body)
        need(b["ctx_num"] == 1 and (kind == MSRPC_ALTERCTX) == (self.bound is not None), "bind")
        need(b["max_tfrag"] >= 1432 and b["max_rfrag"] >= 1432, "fragments of %d bytes", b["max_rfrag"])
        item = CtxItem(b["ctx_items"])
        self.room = b["max_rfrag"]
        result = CtxItemResult()
        result["TransferSyntax"] = NDR
        if item["AbstractSyntax"] != self.server.interface:
            result["Result"], result["Reason"], result["TransferSyntax"] = 2, 1, bytes(20)
        elif item["TransferSyntax"] != NDR:
            result["Result"], result["Reason"], result["TransferSyntax"] = 2, 2, bytes(20)
        self.bound = item["ContextID"]
        answer = b""
        if trailer:
            answer = self.authenticate(kind, flags, call, trailer, token)
            if answer is None:
                return False
        out = struct.pack("<HHL", self.o.fragment, self.o.fragment, self.o.group)
        address = b"" if kind == MSRPC_ALTERCTX else self.o.secondary.encode() + b"\0" if self.o.secondary else b""
        out += struct.pack("<H", len(address)) + address
        out += b"\xee" * (-len(out) % 4) + struct.pack("<BBH", 1, 0, 0) + result.getData()
        p = MSRPCHeader()
        p["type"] = MSRPC_BINDACK if kind == MSRPC_BIND else MSRPC_ALTERCTX_R
        p["flags"] = FIRST | LAST | (SIGN_HEADER if self.sign_header else 0)
        p["call_id"] = call
        if answer:
            pad = -len(out) % self.o.align
            t = SEC_TRAILER()
            t["auth_type"], t["auth_level"], t["auth_pad_len"] = self.auth[0], PRIVACY, pad
            t["auth_ctx_id"] = self.auth[1]
            out += b"\xdd" * pad
            p["sec_trailer"], p["auth_data"] = t, answer
        p["pduData"] = out
        self.wfile.write(p.get_packet())
        return True

    def authenticate(self, kind, flags, call, trailer, token):
        """One leg inside of bind or alter_context. None means that the connection is over."""
        if kind == MSRPC_BIND:
            known = (RAW, SPNEGO, KERBEROS) if self.o.keytab else (RAW, SPNEGO)
            if trailer["auth_type"] not in known:
                self.nak(call)
                return None
            need(flags & SIGN_HEADER, "the client does not offer header signing")
            self.auth = (trailer["auth_type"], trailer["auth_ctx_id"])
            self.sign_header = self.o.header_signing
            self.security = {RAW: NTLMAcceptor, SPNEGO: SPNEGOAcceptor, KERBEROS: kerberos}[self.auth[0]](self.o)
        need(self.auth == (trailer["auth_type"], trailer["auth_ctx_id"]), "leg of another context")
        if self.auth[0] == RAW:
            need(kind == MSRPC_BIND, "NTLM in alter_context")
            return self.security.challenge(token)
        try:
            answer, self.complete = self.security.token(token)
            return answer
        except Refused as r:
            if self.o.refuse == "token" and r.token:  # as Windows does: the client has to look into it
                self.refused = True
                return r.token
            if kind == MSRPC_BIND:
                self.nak(call, 9)  # invalid_checksum
            elif self.o.refuse == "nak":
                self.nak(call)
            else:
                self.fault(call, Fault(5), False)
            return None

    def auth3(self, call, token):
        need(self.auth[0] != SPNEGO and not self.complete, "AUTH3")
        try:
            if self.auth[0] == RAW:
                self.security.authenticate(token)
                self.complete = True
            else:
                self.complete = self.security.token(token) == (b"", True)
        except Refused:
            self.refused = True
            if self.o.refuse == "nak":
                self.nak(call)  # and then we wait for the client to close the connection
            return self.o.refuse != "close"
        return True

    def nak(self, call, reason=8):
        p = MSRPCHeader()
        p["type"], p["call_id"], p["pduData"] = MSRPC_BINDNAK, call, struct.pack("<HBBB", reason, 1, 5, 0)
        self.wfile.write(p.get_packet())

    def request_pdu(self, flags, call, raw, end, trailer, token):
        if self.refused:
            if self.o.refuse != "nak":
                self.fault(call, Fault(0x721 if self.o.refuse == "package" else 5, DID_NOT_EXECUTE), False)
            return self.o.refuse == "nak"
        hint, context, opnum = struct.unpack_from("<LHH", raw, 16)
        need(context == self.bound and not flags & OBJECT, "context %d", context)
        need(bool(flags & FIRST) == (self.stub == b""), "flags %#x", flags)
        body = raw[24:end]
        if self.security:
            need(self.complete and trailer, "request without protection")
            need(self.auth == (trailer["auth_type"], trailer["auth_ctx_id"]), "request of another context")
            body = self.mechanism().unseal(raw[:24], body, raw[end:end + 8], token)
            body = body[:len(body) - trailer["auth_pad_len"]]
        self.stub += body
        if not flags & LAST:
            need(len(body) % 8 == 0, "fragment with %d bytes of stub", len(body))
            need(hint == 0 or hint >= len(body), "alloc_hint %d", hint)
            return True
        stub, self.stub, self.calls = self.stub, b"", self.calls + 1
        if self.security and self.calls == 1:
            stub = self.verification(stub)
        try:
            self.respond(call, hint, self.server_call(opnum, stub))
        except Fault as f:
            self.fault(call, f, self.o.fault == "signed")
        return not self.o.once

    def verification(self, stub):
        """Takes the verification trailer off and looks at it (MS-RPCE section 2.2.2.13)."""
        at = stub.rfind(bytes.fromhex("8ae3137102f43671"))
        if at < 0:
            return stub
        need(at % 4 == 0, "verification trailer at %d", at)
        rest, last = stub[at + 8:], 0
        while not last & 0x4000:
            last, size = struct.unpack_from("<HH", rest)
            value, rest = rest[4:4 + size], rest[4 + size:]
            if last & 0x3fff == 1:
                need(struct.unpack("<L", value)[0] & 1, "bitmask")
            elif last & 0x3fff == 2:
                need(value == self.server.interface + NDR, "context of the verification trailer")
        need(rest == b"", "bytes after the verification trailer")
        return stub[:at]

    def mechanism(self):
        return self.security.mechanism if self.auth[0] == SPNEGO else self.security

    def respond(self, call, asked, stub):
        size = self.room - 24 - 8 - 16 - (self.mechanism().signature_size(bytes(16)) if self.security else 0)
        size = min(self.o.answer, size) if self.o.answer else size - size % 16
        parts = [stub[i:i + size] for i in range(0, len(stub), size)]
        left = len(stub)
        for i, part in enumerate(parts):
            p = MSRPCRespHeader()
            p["flags"] = (FIRST if i == 0 else 0) | (LAST if i == len(parts) - 1 else 0)
            p["call_id"], p["ctx_id"] = call, self.bound
            pad = -len(part) % self.o.align
            p["alloc_hint"] = {"zero": 0, "rest": left, "whole": len(stub), "fragment": len(part), "asked": asked,
                               "padded": len(part) + pad}[self.o.hint]
            left -= len(part)
            if not self.security:
                p["pduData"] = part
            else:
                self.protect(p, 24, part + b"\xbb" * pad, pad)
            self.wfile.write(p.get_packet())

    def protect(self, p, fixed, body, pad):
        """Seals a PDU, of which the first bytes are as they are."""
        t = SEC_TRAILER()
        t["auth_type"], t["auth_level"], t["auth_pad_len"], t["auth_ctx_id"] = self.auth[0], PRIVACY, pad, self.auth[1]
        n = self.mechanism().signature_size(body)
        p["pduData"], p["sec_trailer"], p["auth_data"] = body, t, bytes(n)
        raw = p.get_packet()
        sealed, signature = self.mechanism().seal(raw[:fixed], raw[fixed:-n - 8], raw[-n - 8:-n])
        p["pduData"] = body[:len(body) - len(sealed)] + sealed
        p["auth_data"] = signature

    def fault(self, call, f, signed):
        p = MSRPCRespHeader()
        p["type"], p["flags"], p["call_id"], p["ctx_id"] = MSRPC_FAULT, FIRST | LAST | f.flags, call, self.bound
        body = struct.pack("<LL", f.status, 0)
        if signed and self.security and self.complete:
            self.protect(p, 32, body, 0)
        else:
            p["pduData"] = body
        self.wfile.write(p.get_packet())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, o, interface, call):
        socketserver.ThreadingTCPServer.__init__(self, ("127.0.0.1", 0), Connection)
        self.o, self.interface, self.call = o, interface, call
        threading.Thread(target=self.serve_forever, daemon=True).start()


def options():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--name", default="Foreign CA")
    p.add_argument("--user", default="enroller")
    p.add_argument("--keytab", default="", help="file with the keys of the server's account: it accepts Kerberos")
    p.add_argument("--realm", default="CORP.TEST")
    p.add_argument("--signature", type=int, default=0, help="the size that Kerberos' signatures must have, which tells RC4 from AES")
    p.add_argument("--no-header-signing", dest="header_signing", action="store_false")
    p.add_argument("--require-mic", dest="mic", action="store_true")
    p.add_argument("--without", action="append", default=[], choices=["keyexch", "56", "version", "timestamp", "dns", "sign"])
    p.add_argument("--channel-bindings", dest="bindings", action="store_true")
    p.add_argument("--fragment", type=int, default=4280, help="largest fragment, in bytes")
    p.add_argument("--answer", type=int, default=0, help="bytes of stub in a fragment of an answer; 0 for many")
    p.add_argument("--hint", default="rest", choices=["zero", "rest", "whole", "fragment", "asked", "padded"])
    p.add_argument("--align", type=int, default=16, choices=[1, 4, 8, 16], help="alignment of the security trailer")
    p.add_argument("--group", type=int, default=0x12345678)
    p.add_argument("--secondary", default="49700")
    p.add_argument("--towers", default="one", choices=["one", "any", "twice", "many", "none"])
    p.add_argument("--array", default="asked", choices=["asked", "exact"], help="maximum count of ept_map's array")
    p.add_argument("--referents", default="windows", choices=["windows", "random"])
    p.add_argument("--empty", default="null", choices=["null", "pointer"], help="what an empty blob is")
    p.add_argument("--chain", default="full",
                   choices=["full", "reversed", "leaf", "authorities", "issuing", "lists", "none", "bare"])
    p.add_argument("--message", default="nul", choices=["nul", "bare", "none"])
    p.add_argument("--layout", default="plain", choices=["plain", "gaps"], help="of the NTLM challenge")
    p.add_argument("--once", action="store_true", help="close a connection after one call")
    p.add_argument("--fault", default="plain", choices=["plain", "signed"])
    p.add_argument("--fault-status", type=lambda v: int(v, 0), default=0x6f7)
    p.add_argument("--refuse", default="fault", choices=["fault", "package", "nak", "close", "token"])
    return p.parse_args()


def main():
    o = options()
    authority, mapper = Authority(o.folder, o), Mapper(o)
    ca = Server(o, ICPR, authority.call)
    mapper.port = ca.server_address[1]
    mapped = Server(o, EPM, mapper.call)
    print('{"epm": %d, "ca": %d, "roots": "%s"}' % (mapped.server_address[1], mapper.port, authority.path("root.pem")),
          flush=True)
    sys.stdin.read()
    os._exit(0)


main()
