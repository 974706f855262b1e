"""impacket's DCE/RPC client against the test CA.

usage: impacket_client.py EPM_HOST EPM_PORT CA_NAME ACCOUNT LEVEL [OPTION...]

ACCOUNT is DOMAIN/name, /name or /name@domain. LEVEL is none, connect, sign or seal. OPTION is one of
  noess      without extended session security
  nokeyexch  without key exchange
  noversion  without the version field
  ndr64      with the transfer syntax NDR64
  frag=N     with fragments of N bytes of stub
  size=N     with a request of N bytes in place of the one on standard input
  kerberos=HOST   with a ticket for the service host/HOST from the cache that KRB5CCNAME names, in SPNEGO
The password is in the environment as PEER_PASSWORD. A certification request in DER comes on standard input. The answer
goes to standard output as JSON; a failure is {"error": text}.
"""
import json
import os
import sys

from impacket import ntlm
from impacket.dcerpc.v5 import epm, transport
from impacket.dcerpc.v5.dtypes import DWORD, LPWSTR, PBYTE, ULONG
from impacket.dcerpc.v5.ndr import NDRCALL, NDRSTRUCT
from impacket.dcerpc.v5.rpcrt import (DCERPCException, RPC_C_AUTHN_GSS_NEGOTIATE, RPC_C_AUTHN_LEVEL_CONNECT,
                                      RPC_C_AUTHN_LEVEL_NONE, RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
                                      RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_AUTHN_WINNT)
from impacket.krb5.kerberosv5 import KerberosError
from impacket.uuid import uuidtup_to_bin

ICPR = uuidtup_to_bin(("91ae6020-9e3c-11cf-8d7c-00aa00c091be", "0.0"))
NDR64 = ("71710533-BEBA-4937-8319-B5DBEF9CCC36", "1.0")
LEVELS = {
    "none": RPC_C_AUTHN_LEVEL_NONE,
    "connect": RPC_C_AUTHN_LEVEL_CONNECT,
    "sign": RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    "seal": RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
}


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


def without(flag):
    """Makes impacket leave a flag out of its NEGOTIATE message."""
    original = ntlm.getNTLMSSPType1

    def patched(*args, **kwargs):
        message = original(*args, **kwargs)
        message["flags"] &= ~flag
        return message

    ntlm.getNTLMSSPType1 = patched


PATCHES = {
    "noess": ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY,
    "nokeyexch": ntlm.NTLMSSP_NEGOTIATE_KEY_EXCH,
    "noversion": ntlm.NTLMSSP_NEGOTIATE_VERSION,
}


def connected(host, port):
    rpc = transport.DCERPCTransportFactory("ncacn_ip_tcp:%s[%s]" % (host, port)).get_dce_rpc()
    rpc.connect()
    return rpc


def mapped(host, port):
    """Asks the endpoint mapper, and walks its map too. impacket binds anew for each, which takes two connections."""
    rpc = connected(host, port)
    binding = epm.hept_map(host, ICPR, protocol="ncacn_ip_tcp", dce=rpc)
    rpc.disconnect()
    rpc = connected(host, port)
    entries = epm.hept_lookup(None, dce=rpc)
    rpc.disconnect()
    return binding, len(entries)


def blob(b):
    return b"".join(b) if isinstance(b, list) else b


def main():
    host, port, ca, account, level = sys.argv[1:6]
    options = dict(o.partition("=")[::2] for o in sys.argv[6:])
    for name in options:
        if name in PATCHES:
            without(PATCHES[name])
    der = sys.stdin.buffer.read()
    if "size" in options:
        der = b"\x30" * int(options["size"])
    binding, entries = mapped(host, port)
    rpctransport = transport.DCERPCTransportFactory(binding)
    domain, name = account.split("/")
    rpctransport.set_credentials(name, os.environ["PEER_PASSWORD"], domain)
    rpc = rpctransport.get_dce_rpc()
    if level != "none":
        rpc.set_credentials(*rpctransport.get_credentials())
        rpc.set_auth_type(RPC_C_AUTHN_GSS_NEGOTIATE if "kerberos" in options else RPC_C_AUTHN_WINNT)
    if "kerberos" in options:
        rpctransport.setRemoteName(options["kerberos"])
    rpc.set_auth_level(LEVELS[level])
    rpc.connect()
    if "frag" in options:
        rpc.set_max_fragment_size(int(options["frag"]))
    if "ndr64" in options:
        rpc.bind(ICPR, transfer_syntax=NDR64)
    else:
        rpc.bind(ICPR)
    answers = []
    for _ in range(2):  # the second call shows that the sequence numbers go on
        request = CertServerRequest()
        request["dwFlags"] = 0x100
        request["pwszAuthority"] = ca + "\0"
        request["pdwRequestId"] = 0
        attributes = "CertificateTemplate:User\0".encode("utf-16-le")
        request["pctbAttribs"]["cb"] = len(attributes)
        request["pctbAttribs"]["pb"] = attributes
        request["pctbRequest"]["cb"] = len(der)
        request["pctbRequest"]["pb"] = der
        response = rpc.request(request, checkError=False)
        answers.append({
            "id": response["pdwRequestId"], "disposition": response["pdwDisposition"],
            "return": response["ErrorCode"], "chain": blob(response["pctbCert"]["pb"]).hex(),
            "leaf": blob(response["pctbEncodedCert"]["pb"]).hex(),
            "message": blob(response["pctbDispositionMessage"]["pb"]).decode("utf-16-le"),
        })
    json.dump({"port": int(binding.split("[")[1].rstrip("]")), "entries": entries, "answers": answers}, sys.stdout)


try:
    main()
except (DCERPCException, KerberosError) as e:
    json.dump({"error": str(e)}, sys.stdout)
