"""Asks a CA the way administrators' tools on impacket do, one process for one call.

usage: tool.py HOST PORT CA ACCOUNT request TEMPLATE FILE [ATTRIBUTE...]
       tool.py HOST PORT CA ACCOUNT retrieve ID

HOST and PORT are the endpoint mapper's; port 135 is left to impacket to know. FILE holds the request as it is sent;
an ATTRIBUTE is NAME:VALUE. ACCOUNT is DOMAIN/name, /name or /name@domain, its password is in PEER_PASSWORD. Prints id,
disposition, message and the certificate (hexadecimal) as JSON, or {"error": text}. With a host in PEER_KERBEROS it logs on
with a ticket for host/ and this host, from the cache that KRB5CCNAME names.
"""
import json
import os
import sys

from impacket.dcerpc.v5 import epm, transport
from impacket.dcerpc.v5.dtypes import DWORD, LPWSTR, NULL, PBYTE, ULONG
from impacket.dcerpc.v5.ndr import NDRCALL, NDRSTRUCT
from impacket.dcerpc.v5.rpcrt import DCERPCException, RPC_C_AUTHN_GSS_NEGOTIATE, RPC_C_AUTHN_LEVEL_PKT_PRIVACY
from impacket.krb5.kerberosv5 import KerberosError
from impacket.uuid import uuidtup_to_bin

ICPR = uuidtup_to_bin(("91ae6020-9e3c-11cf-8d7c-00aa00c091be", "0.0"))


class DCERPCSessionError(DCERPCException):
    """What impacket raises for a return value that is not zero."""

    def __str__(self):
        return "return value 0x%08x" % self.error_code


class CERTTRANSBLOB(NDRSTRUCT):
    structure = (
        ("cb", ULONG),
        ("pb", PBYTE),
    )


class CertServerRequest(NDRCALL):
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
    )


def blob(value):
    b = CERTTRANSBLOB()
    b["cb"], b["pb"] = len(value), value or NULL
    return b


def binding(host, port):
    if port == "135":
        return epm.hept_map(host, ICPR, protocol="ncacn_ip_tcp")
    mapper = transport.DCERPCTransportFactory("ncacn_ip_tcp:%s[%s]" % (host, port)).get_dce_rpc()
    mapper.connect()
    return epm.hept_map(host, ICPR, protocol="ncacn_ip_tcp", dce=mapper)


def main():
    host, port, ca, account, verb = sys.argv[1:6]
    domain, name = account.split("/")
    t = transport.DCERPCTransportFactory(binding(host, port))
    t.set_credentials(name, os.environ["PEER_PASSWORD"], domain)
    rpc = t.get_dce_rpc()
    if "PEER_KERBEROS" in os.environ:
        t.setRemoteName(os.environ["PEER_KERBEROS"])
        rpc.set_auth_type(RPC_C_AUTHN_GSS_NEGOTIATE)
    rpc.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    rpc.connect()
    rpc.bind(ICPR)
    call = CertServerRequest()
    call["dwFlags"], call["pwszAuthority"] = 0, ca + "\0"
    if verb == "retrieve":
        call["pdwRequestId"], call["pctbAttribs"], call["pctbRequest"] = int(sys.argv[6]), blob(b""), blob(b"")
    else:
        with open(sys.argv[7], "rb") as f:
            request = f.read()
        attributes = "\n".join(["CertificateTemplate:" + sys.argv[6]] + sys.argv[8:]) + "\0"
        call["pdwRequestId"], call["pctbRequest"] = 0, blob(request)
        call["pctbAttribs"] = blob(attributes.encode("utf-16-le"))
    a = rpc.request(call)  # which takes an error from the last four bytes of the answer
    json.dump({"id": a["pdwRequestId"], "disposition": a["pdwDisposition"],
               "leaf": b"".join(a["pctbEncodedCert"]["pb"]).hex(),
               "message": b"".join(a["pctbDispositionMessage"]["pb"]).decode("utf-16-le")}, sys.stdout)


try:
    main()
except (DCERPCException, KerberosError) as e:
    json.dump({"error": str(e)}, sys.stdout)
