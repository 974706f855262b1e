"""impacket's DCOM client against the test CA.

usage: impacket_dcom.py EPM_HOST EPM_PORT CA_NAME ACCOUNT ACTIVATION [OPTION...]

ACCOUNT is DOMAIN/name. ACTIVATION is RemoteActivation or RemoteCreateInstance. OPTION is one of
  kerberos=HOST   with tickets for the service host/HOST from the cache that KRB5CCNAME names, in SPNEGO
The password is in the environment as PEER_PASSWORD. A certification request in DER comes on standard input. It is
submitted twice, to ICertRequestD2 and to ICertRequestD. The answers go to standard output as JSON; a failure is
{"error": text}.
"""
import json
import os
import sys

from impacket.dcerpc.v5 import dcomrt, transport
from impacket.dcerpc.v5.dtypes import DWORD, LONG, LPWSTR, PBYTE, ULONG
from impacket.dcerpc.v5.ndr import NDRSTRUCT
from impacket.dcerpc.v5.rpcrt import DCERPCException, RPC_C_AUTHN_GSS_NEGOTIATE
from impacket.krb5.kerberosv5 import KerberosError
from impacket.uuid import string_to_bin, uuidtup_to_bin

CLASS = string_to_bin("d99e6e74-fc88-11d0-b498-00a0c90312f3")  # MS-WCCE section 1.9
REQUESTD = uuidtup_to_bin(("d99e6e70-fc88-11d0-b498-00a0c90312f3", "0.0"))
REQUESTD2 = uuidtup_to_bin(("5422fd3a-d4b8-4cef-a12e-e87d4ca22e90", "0.0"))


class CERTTRANSBLOB(NDRSTRUCT):  # MS-WCCE section 2.2.2.2
    structure = (
        ("cb", ULONG),
        ("pb", PBYTE),
    )


class Request(dcomrt.DCOMCALL):  # MS-WCCE section 3.2.1.4.2.1
    opnum = 3
    structure = (
        ("dwFlags", DWORD),
        ("pwszAuthority", LPWSTR),
        ("pdwRequestId", DWORD),
        ("pwszAttributes", LPWSTR),
        ("pctbRequest", CERTTRANSBLOB),
    )


class RequestResponse(dcomrt.DCOMANSWER):
    structure = (
        ("pdwRequestId", DWORD),
        ("pdwDisposition", DWORD),
        ("pctbCertChain", CERTTRANSBLOB),
        ("pctbEncodedCert", CERTTRANSBLOB),
        ("pctbDispositionMessage", CERTTRANSBLOB),
        ("ErrorCode", ULONG),
    )


class Request2(dcomrt.DCOMCALL):  # MS-WCCE section 3.2.1.4.3.1
    opnum = 6
    structure = (
        ("pwszAuthority", LPWSTR),
        ("dwFlags", DWORD),
        ("pwszSerialNumber", LPWSTR),
        ("pdwRequestId", DWORD),
        ("pwszAttributes", LPWSTR),
        ("pctbRequest", CERTTRANSBLOB),
    )


class Request2Response(RequestResponse):
    pass


class GetCAProperty(dcomrt.DCOMCALL):  # MS-WCCE section 3.2.1.4.3.2
    opnum = 7
    structure = (
        ("pwszAuthority", LPWSTR),
        ("PropID", LONG),
        ("PropIndex", LONG),
        ("PropType", LONG),
    )


class GetCAPropertyResponse(dcomrt.DCOMANSWER):
    structure = (
        ("pctbPropertyValue", CERTTRANSBLOB),
        ("ErrorCode", ULONG),
    )


class Ping2(dcomrt.DCOMCALL):  # MS-WCCE section 3.2.1.4.3.4
    opnum = 9
    structure = (("pwszAuthority", LPWSTR),)


class Ping2Response(dcomrt.DCOMANSWER):
    structure = (("ErrorCode", ULONG),)


def redirect(port, host):
    """Makes impacket look for the object resolver at another port than 135, and take tickets for a host by its name."""
    original = transport.DCERPCTransportFactory

    def patched(binding):
        made = original(binding if "[" in binding else "%s[%s]" % (binding, port))
        if host:
            made.setRemoteName(host)
        return made

    transport.DCERPCTransportFactory = patched


def blob(b):
    return b"".join(b) if isinstance(b, list) else b


def submission(call, ca, der):
    call["dwFlags"] = 0x100
    call["pwszAuthority"] = ca + "\0"
    call["pdwRequestId"] = 0
    call["pwszAttributes"] = "CertificateTemplate:User\0"
    call["pctbRequest"]["cb"] = len(der)
    call["pctbRequest"]["pb"] = der
    return call


def told(response):
    return {
        "id": response["pdwRequestId"], "disposition": response["pdwDisposition"], "return": response["ErrorCode"],
        "chain": blob(response["pctbCertChain"]["pb"]).hex(), "leaf": blob(response["pctbEncodedCert"]["pb"]).hex(),
        "message": blob(response["pctbDispositionMessage"]["pb"]).decode("utf-16-le"),
    }


def activate(connection, how, iid):
    if how == "RemoteActivation":
        interface = dcomrt.IActivation(connection.get_dce_rpc()).RemoteActivation(CLASS, iid)
    else:
        interface = connection.CoCreateInstanceEx(CLASS, iid)
    return interface


def main():
    host, port, ca, account, how = sys.argv[1:6]
    options = dict(o.partition("=")[::2] for o in sys.argv[6:])
    redirect(port, options.get("kerberos"))
    der = sys.stdin.buffer.read()
    domain, name = account.split("/")
    # Pings go to the resolver from a thread of impacket's own; this script is done before the first one is due.
    connection = dcomrt.DCOMConnection(host, name, os.environ["PEER_PASSWORD"], domain, doKerberos="kerberos" in options)
    answers = []
    two = activate(connection, how, REQUESTD2)
    ping = Ping2()
    ping["pwszAuthority"] = ca + "\0"
    two.request(ping, REQUESTD2, two.get_iPid())
    call = submission(Request2(), ca, der)
    call["pwszSerialNumber"] = dcomrt.NULL
    answers.append(told(two.request(call, REQUESTD2, two.get_iPid())))
    prop = GetCAProperty()
    prop["pwszAuthority"], prop["PropID"], prop["PropIndex"], prop["PropType"] = ca + "\0", 0x16, 0, 4
    dns = blob(two.request(prop, REQUESTD2, two.get_iPid())["pctbPropertyValue"]["pb"])
    one = two.RemQueryInterface(1, (REQUESTD,))
    one.set_oid(two.get_oid())
    answers.append(told(one.request(submission(Request(), ca, der), REQUESTD, one.get_iPid())))
    one.RemRelease()
    for _ in range(5):
        two.RemRelease()
    json.dump({"answers": answers, "dns": dns.decode("utf-16-le")}, sys.stdout)
    connection.disconnect()


try:
    main()
except (DCERPCException, KerberosError) as e:
    json.dump({"error": str(e)}, sys.stdout)
