#!/usr/bin/python3
"""A small CA behind DCE/RPC that shares no code with adcskit: NTLM, signing and sealing are impacket's, certificates are
OpenSSL's. It serves the endpoint mapper and ICertPassage on two loopback ports, which it prints, until its standard
input ends. What it is strict about makes it an answer of a peer and not an echo of the client."""

import os
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import uuid

from Cryptodome.Cipher import ARC4
from impacket import ntlm
from impacket.smbserver import computeNTLMv2

USER, PASSWORD, DOMAIN, CA = "alice", "Pass-word1", "CORP", "Foreign CA"
FIRST, LAST = 1, 2
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<HH", 2, 0)
EPM = uuid.UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa").bytes_le
ICPR = uuid.UUID("91ae6020-9e3c-11cf-8d7c-00aa00c091be").bytes_le


class Closed(Exception):
    pass


class Connection(socketserver.BaseRequestHandler):
    interface = None

    def exactly(self, n):
        b = b""
        while len(b) < n:
            part = self.request.recv(n - len(b))
            if not part:
                raise Closed()
            b += part
        return b

    def read(self):
        head = self.exactly(16)
        version, minor, kind, flags, drep, size, auth, call = struct.unpack("<BBBBIHHI", head)
        assert (version, minor, drep) == (5, 0, 0x10)
        raw = head + self.exactly(size - 16)
        return kind, flags, auth, call, raw

    def send(self, kind, flags, call, body, auth=b""):
        """auth is the sec_trailer with the token; body ends at a multiple of 4."""
        length = len(auth) - 8 if auth else 0
        head = struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body) + len(auth), length, call)
        self.request.sendall(head + body + auth)

    def fault(self, call, status, flags=FIRST | LAST):
        self.send(3, flags, call, struct.pack("<IHBBII", 32, 0, 0, 0, status, 0))

    def handle(self):
        self.ntlm = None
        stub = b""
        try:
            while True:
                kind, flags, auth, call, raw = self.read()
                if kind == 11:
                    self.bind(flags, auth, call, raw)
                elif kind == 16:
                    self.auth3(raw, auth)
                elif kind == 0:
                    part = self.open(raw, auth, call)
                    if part is None:
                        return
                    stub = part if flags & FIRST else stub + part
                    if flags & LAST:
                        opnum = struct.unpack("<H", raw[22:24])[0]
                        self.answer(call, self.call(opnum, stub))
                else:
                    return
        except Closed:
            pass

    def bind(self, flags, auth, call, raw):
        xmit, recv, _, count = struct.unpack("<HHIB", raw[16:25])
        assert count == 1, "only the first context is looked at"
        self.fragment = recv
        ok = raw[32:48] == self.interface and raw[52:72] == NDR
        body = struct.pack("<HHIH", 4280, 4280, 0x1234, 4) + b"135\0" + b"\0\0"
        body += b"\1\0\0\0" + (struct.pack("<HH", 0, 0) + NDR if ok else struct.pack("<HH", 2, 1) + bytes(20))
        token = b""
        if auth:
            trailer, blob = raw[-auth - 8:-auth], raw[-auth:]
            assert trailer[:2] == b"\x0a\x06", "NTLM at packet privacy"
            self.trailer = trailer
            token = trailer + self.challenge(blob)
        self.send(12, FIRST | LAST, call, body, token)

    def challenge(self, blob):
        self.negotiate = ntlm.NTLMAuthNegotiate()
        self.negotiate.fromString(blob)
        self.flags = self.negotiate["flags"] | ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO | ntlm.NTLMSSP_TARGET_TYPE_DOMAIN
        pairs = ntlm.AV_PAIRS()
        pairs[ntlm.NTLMSSP_AV_HOSTNAME] = "CA".encode("utf-16le")
        pairs[ntlm.NTLMSSP_AV_DOMAINNAME] = DOMAIN.encode("utf-16le")
        if TIME:
            pairs[ntlm.NTLMSSP_AV_TIME] = struct.pack("<Q", 0x1dc5b0000000000)
        name = DOMAIN.encode("utf-16le")
        self.nonce = os.urandom(8)
        info = pairs.getData()
        self.challenge_flags = self.flags
        return (b"NTLMSSP\0" + struct.pack("<IHHII", 2, len(name), len(name), 56, self.flags) + self.nonce + bytes(8) +
                struct.pack("<HHI", len(info), len(info), 56 + len(name)) + b"\x0a\0\x63\x45\0\0\0\x0f" + name + info)

    def auth3(self, raw, auth):
        m = ntlm.NTLMAuthChallengeResponse()
        m.fromString(raw[-auth:])
        nt = ntlm.compute_nthash(PASSWORD)
        wanted = {"flags": self.challenge_flags, "challenge": self.nonce}
        status, key = computeNTLMv2(USER, b"", nt, self.nonce, m, wanted, {"flags": self.flags})
        self.ntlm = False
        if status != 0 or m["user_name"].decode("utf-16le") != USER:
            return
        f = self.flags
        self.ntlm = {
            "in": (ntlm.SIGNKEY(f, key), ARC4.new(ntlm.SEALKEY(f, key)).encrypt),
            "out": (ntlm.SIGNKEY(f, key, "Server"), ARC4.new(ntlm.SEALKEY(f, key, "Server")).encrypt),
        }
        self.received = self.sent = 0

    def open(self, raw, auth, call):
        if self.ntlm is None and not auth:
            return raw[24:]
        if not self.ntlm:
            self.fault(call, 0x721 if self.ntlm is False else 5)
            return None
        trailer, signature = raw[-auth - 8:-auth], raw[-auth:]
        assert trailer[:2] == b"\x0a\x06" and trailer[4:] == self.trailer[4:]
        sign, handle = self.ntlm["in"]
        plain = handle(raw[24:-auth - 8])
        whole = raw[:24] + plain + trailer
        want = ntlm.MAC(self.flags, handle, sign, self.received, whole).getData()
        if want != signature:
            self.fault(call, 5)
            return None
        self.received += 1
        return plain[:len(plain) - trailer[2]]

    def answer(self, call, stub):
        if isinstance(stub, int):
            return self.fault(call, stub)
        room = self.fragment - 24 - 24 - 8
        first = FIRST
        while True:
            part, stub = stub[:room // 8 * 8], stub[room // 8 * 8:]
            flags = first | (0 if stub else LAST)
            fixed = struct.pack("<IHBB", len(part) + len(stub), 0, 0, 0)
            if not self.ntlm:
                self.send(2, flags, call, fixed + part)
            else:
                pad = -len(part) % 4
                part += b"\xbb" * pad
                trailer = bytes([0x0a, 6, pad, 0]) + self.trailer[4:]
                head = struct.pack("<BBBBIHHI", 5, 0, 2, flags, 0x10, 24 + len(part) + 24, 16, call) + fixed
                sign, handle = self.ntlm["out"]
                sealed, signature = ntlm.SEAL(self.flags, sign, b"", head + part + trailer, part, self.sent, handle)
                self.sent += 1
                self.request.sendall(head + sealed + trailer + signature.getData())
            if not stub:
                return
            first = 0


class Mapper(Connection):
    interface = EPM

    def call(self, opnum, stub):
        assert opnum == 3
        assert ICPR in stub, "which interface is asked for"
        tower = struct.pack("<H", 5)
        for left, right in [(b"\x0d" + ICPR + b"\0\0", b"\0\0"), (b"\x0d" + NDR[:18], b"\0\0"), (b"\x0b", b"\0\0"),
                            (b"\x07", struct.pack(">H", ca_port)), (b"\x09", bytes(4))]:
            tower += struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right
        out = bytes(20) + struct.pack("<IIII", 1, 4, 0, 1) + struct.pack("<I", 3)
        out += struct.pack("<II", len(tower), len(tower)) + tower
        return out + bytes(-len(out) % 4) + bytes(4)


class Passage(Connection):
    interface = ICPR

    def call(self, opnum, stub):
        if opnum != 0:
            return 0x1C010002
        at = 0

        def u32():
            nonlocal at
            at += -at % 4
            at += 4
            return struct.unpack("<I", stub[at - 4:at])[0]

        def take(n):
            nonlocal at
            at += n
            return stub[at - n:at]

        def blob():
            size, pointer = u32(), u32()
            if not pointer:
                return None
            assert u32() == size
            return take(size)

        flags, pointer = u32(), u32()
        assert pointer
        size, offset, actual = u32(), u32(), u32()
        assert offset == 0 and size == actual
        name = take(2 * actual).decode("utf-16le")
        number, attributes, request = u32(), blob(), blob()
        if name != CA + "\0":
            return self.response(number, 0, ret=0x80070057)
        if request is None:
            return self.response(number, 0x80094004)
        assert flags == 0x100 and number == 0
        assert attributes.decode("utf-16le") == "CertificateTemplate:WebServer\0"
        leaf = issue(request)
        return self.response(7, 3, chain(leaf), leaf, "Issued\0".encode("utf-16le"))

    def response(self, number, disposition, *blobs, ret=0):
        out = struct.pack("<II", number, disposition)
        for b in (blobs + (None,) * 3)[:3]:
            out += bytes(-len(out) % 4)
            out += struct.pack("<II", len(b or b""), 0x20000 + len(out) if b else 0)
            if b:
                out += struct.pack("<I", len(b)) + b
        return out + bytes(-len(out) % 4) + struct.pack("<I", ret)


def openssl(*args, data=b""):
    return subprocess.run(("openssl",) + args, input=data, cwd=work.name, check=True, capture_output=True).stdout


def issue(request):
    return openssl("x509", "-req", "-inform", "DER", "-outform", "DER", "-CA", "ca.pem", "-CAkey", "ca.key",
                   "-CAcreateserial", "-days", "1", data=request)


def chain(leaf):
    with open(os.path.join(work.name, "leaf.pem"), "wb") as f:
        f.write(openssl("x509", "-inform", "DER", data=leaf))
    return openssl("crl2pkcs7", "-nocrl", "-certfile", "leaf.pem", "-certfile", "ca.pem", "-outform", "DER")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


TIME = sys.argv[1] == "time"
work = tempfile.TemporaryDirectory()
openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=" + CA,
        "-days", "2")
ca = Server(("127.0.0.1", 0), Passage)
mapper = Server(("127.0.0.1", 0), Mapper)
ca_port = ca.server_address[1]
for server in (ca, mapper):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(mapper.server_address[1], flush=True)
sys.stdin.read()
work.cleanup()
