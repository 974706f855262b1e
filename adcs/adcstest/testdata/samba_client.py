"""Samba's DCE/RPC client against the test CA.

usage: samba_client.py EPM_HOST EPM_PORT CA_NAME ACCOUNT AUTH LEVEL [OPTION...]

ACCOUNT is DOMAIN/name. AUTH is ntlm, krb5 or spnego, LEVEL is connect, packet, sign or seal, OPTION is anything that a
Samba binding string takes (ndr64, for one), a setting of smb.conf as key=value, or
  kerberos=HOST    Kerberos for the service host/HOST, and nothing else; of ntlm it does nothing
  ccache=FILE      with the tickets in this file
The password, of whoever has one, is in the environment as PEER_PASSWORD. A certification request in DER comes on standard
input. The answer goes to standard output as JSON; a failure is {"error": text}.
"""
import json
import os
import struct
import sys

from samba import NTSTATUSError, param
from samba.credentials import SPECIFIED, Credentials, DONT_USE_KERBEROS, MUST_USE_KERBEROS
from samba.dcerpc import base, epmapper, mgmt, misc
from samba.ndr import ndr_pack

ICPR = ("91ae6020-9e3c-11cf-8d7c-00aa00c091be", 0)
NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", 2)

KEEP = []  # Samba 4.17 crashes when the parts of a tower are freed one by one


def floor(protocol, lhs_data, **rhs):
    f = epmapper.epm_floor()
    f.lhs = epmapper.epm_lhs()
    f.lhs.protocol = protocol
    f.lhs.lhs_data = lhs_data
    if "unknown" in rhs:
        r = epmapper.epm_rhs_uuid()
        r.unknown = rhs["unknown"]
        f.rhs = r
    elif "minor_version" in rhs:
        f.rhs.minor_version = rhs["minor_version"]
    elif "port" in rhs:
        f.rhs.port = rhs["port"]
    elif "ipaddr" in rhs:
        f.rhs.ipaddr = rhs["ipaddr"]
    return f


def syntax(ident):
    s = misc.ndr_syntax_id()
    s.uuid = misc.GUID(ident[0])
    s.if_version = ident[1]
    return ndr_pack(s)


def tower():
    t = epmapper.epm_tower()
    t.num_floors = 5
    t.floors = [
        floor(epmapper.EPM_PROTOCOL_UUID, syntax(ICPR)[:18], unknown=syntax(ICPR)[18:]),
        floor(epmapper.EPM_PROTOCOL_UUID, syntax(NDR)[:18], unknown=syntax(NDR)[18:]),
        floor(epmapper.EPM_PROTOCOL_NCACN, b"", minor_version=0),
        floor(epmapper.EPM_PROTOCOL_TCP, b"", port=135),
        floor(epmapper.EPM_PROTOCOL_IP, b"", ipaddr="0.0.0.0"),
    ]
    twr = epmapper.epm_twr_t()
    KEEP.extend([t, t.floors])
    twr.tower = t
    return twr


def mapped_port(host, port, lp):
    epm = epmapper.epmapper("ncacn_ip_tcp:%s[%s]" % (host, port), lp)
    question = tower()
    handle, towers, status = epm.epm_Map(misc.GUID(), question, misc.policy_handle(), 4)
    KEEP.extend([epm, question, towers])
    if not towers:
        raise SystemExit("epm_Map found nothing")
    return towers[0].twr.tower.floors[3].rhs.port


def looked_up_ports(host, port, lp):
    """Walks the endpoint map with one entry an answer, so that the handle is used."""
    epm = epmapper.epmapper("ncacn_ip_tcp:%s[%s]" % (host, port), lp)
    handle, ports = misc.policy_handle(), []
    while True:
        handle, entries, status = epm.epm_Lookup(0, None, None, 0, handle, 1)
        KEEP.append(entries)
        ports += [e.tower.tower.floors[3].rhs.port for e in entries]
        if not entries or str(handle.uuid) == "00000000-0000-0000-0000-000000000000":
            return ports


def pad(b, n):
    return b + b"\0" * (-len(b) % n)


def request_stub(ca, attributes, der, wide):
    n, count = (8, "<Q") if wide else (4, "<I")
    ca = (ca + "\0").encode("utf-16-le")
    out = pad(struct.pack("<I", 0x100), n) + struct.pack(count, 1)
    for v in (len(ca) // 2, 0, len(ca) // 2):
        out += struct.pack(count, v)
    out = pad(out + ca, 4) + struct.pack("<I", 0)
    for ref, blob in ((2, attributes), (3, der)):
        out = pad(out, n) + pad(struct.pack("<I", len(blob)), n) + struct.pack(count, ref)
        out += struct.pack(count, len(blob)) + blob
    return out


def parse_response(stub, wide):
    n, count = (8, "<Q") if wide else (4, "<I")
    at = 8
    ident, disposition = struct.unpack_from("<II", stub)
    blobs = []
    for _ in range(3):
        at += -at % n
        size, = struct.unpack_from("<I", stub, at)
        at += n
        ref, = struct.unpack_from(count, stub, at)
        at += n
        blob = b""
        if ref:
            limit, = struct.unpack_from(count, stub, at)
            if limit != size:
                raise SystemExit("conformance %d of a blob of %d bytes" % (limit, size))
            at += n
            blob = stub[at:at + size]
            at += size
        blobs.append(blob)
    at += -at % 4
    ret, = struct.unpack_from("<I", stub, at)
    return ident, disposition, blobs, ret


def credentials(lp, domain, name, kerberos):
    creds = Credentials()
    creds.guess(lp)
    creds.set_kerberos_state(MUST_USE_KERBEROS if kerberos else DONT_USE_KERBEROS)
    creds.set_username(name)
    creds.set_domain(domain)
    if kerberos:
        creds.set_realm(os.environ.get("PEER_REALM", "CORP.TEST"))
    if "ccache" in kerberos:
        creds.set_named_ccache("FILE:" + kerberos["ccache"], SPECIFIED, lp)
    else:
        creds.set_password(os.environ["PEER_PASSWORD"])
    return creds


def main():
    host, port, ca, account, auth, level = sys.argv[1:7]
    lp = param.LoadParm()
    lp.load_default()
    lp.set("client min protocol", "NT1")
    options, kerberos = [], {}
    for o in sys.argv[7:]:
        key, equals, value = o.partition("=")
        if key in ("kerberos", "ccache"):
            kerberos[key] = value
        elif equals:
            lp.set(key, value)
        else:
            options.append(o)
    creds = credentials(lp, *account.split("/"), kerberos)
    if kerberos:
        options.append("target_hostname=" + kerberos["kerberos"])

    icpr_port = mapped_port(host, port, lp)
    binding = "ncacn_ip_tcp:%s[%s]" % (host, ",".join([str(icpr_port), auth, level] + options))
    # Samba 4.17 crashes when it authenticates for an interface that it has no IDL of, so the management interface is
    # bound first, and ours is added to the connection with an alter_context.
    management = mgmt.mgmt(binding, lp, creds)
    conn = base.ClientConnection(binding, ICPR, lp, creds, basis_connection=management)
    der = sys.stdin.buffer.read()
    wide = "ndr64" in options
    attributes = "CertificateTemplate:User\0".encode("utf-16-le")
    answers = []
    for _ in range(2):  # the second call shows that the sequence numbers go on
        stub = conn.request(0, request_stub(ca, attributes, der, wide))
        ident, disposition, blobs, ret = parse_response(stub, wide)
        answers.append({"id": ident, "disposition": disposition, "return": ret, "chain": blobs[0].hex(),
                        "leaf": blobs[1].hex(), "message": blobs[2].decode("utf-16-le")})
    ids = management.inq_if_ids()
    KEEP.append(ids)
    json.dump({"interfaces": [str(i.id.uuid) for i in ids.if_id],
               "listening": management.is_server_listening()[1], "port": icpr_port,
               "ports": looked_up_ports(host, port, lp), "answers": answers}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


try:
    main()
except NTSTATUSError as e:
    json.dump({"error": e.args[1]}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)
