"""impacket's DCOM client as an administrator of the test CA.

usage: impacket_admin.py EPM_HOST EPM_PORT CA_NAME ACCOUNT SERIAL REASON

ACCOUNT is DOMAIN/name. The certificate with the serial number is revoked and CRLs are published; before that, all that was
issued is read from the CA's database. The password is in the environment as PEER_PASSWORD. The answer goes to standard
output as JSON; a failure is {"error": text}.
"""
import json
import os
import struct
import sys

from impacket.dcerpc.v5 import dcomrt, transport
from impacket.dcerpc.v5.dtypes import DWORD, FILETIME, LONG, LPBYTE, LPWSTR, PBYTE, ULONG
from impacket.dcerpc.v5.ndr import NDRSTRUCT, NDRUniConformantArray
from impacket.dcerpc.v5.rpcrt import DCERPCException
from impacket.uuid import string_to_bin, uuidtup_to_bin

CLASS = string_to_bin("d99e6e73-fc88-11d0-b498-00a0c90312f3")  # MS-CSRA section 1.9
ADMIND2 = uuidtup_to_bin(("7fe0d935-dda6-443f-85d0-1cfb58fe41dd", "0.0"))

REQUEST_ID, DISPOSITION, REQUESTER, SERIAL = 0x1000, 0x1009, 0x1010, 0x2007  # MS-CSRA section 3.1.1, note 4
GREATER, DESCENDING = 0x10, 2


class DCERPCSessionError(dcomrt.DCERPCSessionError):
    """What impacket raises for a return value that is not 0; it looks for the name here."""


class CERTTRANSBLOB(NDRSTRUCT):  # MS-CSRA section 2.2.1.4
    structure = (
        ("cb", ULONG),
        ("pb", PBYTE),
    )


class CERTVIEWRESTRICTION(NDRSTRUCT):  # MS-CSRA section 2.2.1.3
    structure = (
        ("ColumnIndex", DWORD),
        ("SeekOperator", LONG),
        ("SortOrder", LONG),
        ("pbValue", LPBYTE),
        ("cbValue", DWORD),
    )


class RESTRICTIONS(NDRUniConformantArray):
    item = CERTVIEWRESTRICTION


class DWORDS(NDRUniConformantArray):
    item = "<L"


class RevokeCertificate(dcomrt.DCOMCALL):  # MS-CSRA section 3.1.4.1.8
    opnum = 10
    structure = (
        ("pwszAuthority", LPWSTR),
        ("pwszSerialNumber", LPWSTR),
        ("Reason", DWORD),
        ("FileTime", FILETIME),
    )


class RevokeCertificateResponse(dcomrt.DCOMANSWER):
    structure = (("ErrorCode", ULONG),)


class OpenView(dcomrt.DCOMCALL):  # MS-CSRA section 3.1.4.1.12
    opnum = 14
    structure = (
        ("pwszAuthority", LPWSTR),
        ("ccvr", DWORD),
        ("acvr", RESTRICTIONS),
        ("ccolOut", DWORD),
        ("acolOut", DWORDS),
        ("ielt", DWORD),
        ("celt", DWORD),
    )


class OpenViewResponse(dcomrt.DCOMANSWER):
    structure = (
        ("pceltFetched", DWORD),
        ("pctbResultRows", CERTTRANSBLOB),
        ("ErrorCode", ULONG),
    )


class CloseView(dcomrt.DCOMCALL):  # MS-CSRA section 3.1.4.1.14
    opnum = 16
    structure = (("pwszAuthority", LPWSTR),)


class CloseViewResponse(dcomrt.DCOMANSWER):
    structure = (("ErrorCode", ULONG),)


class PublishCRLs(dcomrt.DCOMCALL):  # MS-CSRA section 3.1.4.2.1
    opnum = 31
    structure = (
        ("pwszAuthority", LPWSTR),
        ("FileTime", FILETIME),
        ("Flags", DWORD),
    )


class PublishCRLsResponse(dcomrt.DCOMANSWER):
    structure = (("ErrorCode", ULONG),)


def redirect(port):
    """Makes impacket look for the object resolver at another port than 135."""
    original = transport.DCERPCTransportFactory
    transport.DCERPCTransportFactory = lambda b: original(b if "[" in b else "%s[%s]" % (b, port))


def rows(data, count):
    """CERTTRANSDBRESULTROW, MS-CSRA section 2.2.3: numbers and texts by column."""
    found = []
    for _ in range(count):
        row, columns, size = struct.unpack_from("<LLL", data)
        values = {"row": row}
        for i in range(columns):
            kind, column, offset, length = struct.unpack_from("<LLLL", data, 12 + 16 * i)
            value = data[offset:offset + length]
            if length and kind & 0xff == 1:
                values["%x" % column] = struct.unpack("<l", value)[0]
            elif length and kind & 0xff == 4:
                values["%x" % column] = value.decode("utf-16-le").rstrip("\0")
        found.append(values)
        data = data[size:]
    return found


def main():
    host, port, ca, account, serial, reason = sys.argv[1:7]
    redirect(port)
    domain, name = account.split("/")
    connection = dcomrt.DCOMConnection(host, name, os.environ["PEER_PASSWORD"], domain)
    admin = connection.CoCreateInstanceEx(CLASS, ADMIND2)

    def call(request):
        request["pwszAuthority"] = ca + "\0"
        return admin.request(request, ADMIND2, admin.get_iPid())

    view = OpenView()
    restriction = CERTVIEWRESTRICTION()
    restriction["ColumnIndex"], restriction["SeekOperator"], restriction["SortOrder"] = REQUEST_ID, GREATER, DESCENDING
    restriction["pbValue"], restriction["cbValue"] = struct.pack("<L", 0), 4
    view["ccvr"] = 1
    view["acvr"].append(restriction)
    columns = (REQUEST_ID, DISPOSITION, REQUESTER, SERIAL)
    view["ccolOut"] = len(columns)
    view["acolOut"] = list(columns)
    view["ielt"], view["celt"] = 1, 2
    opened = call(view)
    found = rows(b"".join(opened["pctbResultRows"]["pb"]), opened["pceltFetched"])
    call(CloseView())
    revoke = RevokeCertificate()
    revoke["pwszSerialNumber"], revoke["Reason"] = serial + "\0", int(reason)
    revoke["FileTime"]["dwLowDateTime"] = revoke["FileTime"]["dwHighDateTime"] = 0
    call(revoke)
    publish = PublishCRLs()
    publish["FileTime"]["dwLowDateTime"] = publish["FileTime"]["dwHighDateTime"] = 0
    publish["Flags"] = 1
    call(publish)
    for _ in range(5):
        admin.RemRelease()
    json.dump({"rows": found}, sys.stdout)
    connection.disconnect()


try:
    main()
except DCERPCException as e:
    json.dump({"error": str(e)}, sys.stdout)
