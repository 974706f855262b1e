"""Samba's DCE/RPC client as the transport of calls on DCOM interfaces.

usage: samba_dcom.py HOST PORT CA_NAME ACCOUNT AUTH

ACCOUNT is DOMAIN/name, AUTH is none, or any of Samba's options for a logon, with commas between them (ntlm,seal). Calls
come on standard input as a JSON list of {"interface", "opnum", "object", "stub"}: they go out on one connection, to which
an interface is added when it is first called. The password is in the environment as PEER_PASSWORD. The answers' stubs go
to standard output as JSON in hexadecimal, {"stubs": [...]}; a failure is {"error": text}.
"""
import json
import os
import sys

from samba import NTSTATUSError, param
from samba.credentials import SPECIFIED, Credentials, DONT_USE_KERBEROS
from samba.dcerpc import base, mgmt


def main():
    host, port, _, account, auth = sys.argv[1:6]
    domain, name = account.split("/")
    lp = param.LoadParm()
    lp.load_default()
    creds = Credentials()
    creds.guess(lp)
    creds.set_domain(domain)
    creds.set_username(name, SPECIFIED)
    creds.set_password(os.environ["PEER_PASSWORD"], SPECIFIED)
    creds.set_kerberos_state(DONT_USE_KERBEROS)
    options = "" if auth == "none" else "," + auth
    binding = "ncacn_ip_tcp:%s[%s%s]" % (host, port, options)
    first = mgmt.mgmt(binding, lp, creds)  # Samba 4.17 crashes when an interface that it does not know comes first
    connections = {}
    stubs = []
    for call in json.load(sys.stdin):
        iface = call["interface"]
        if iface not in connections:
            connections[iface] = base.ClientConnection(binding, (iface, 0), lp, creds, basis_connection=first)
        args = [call["opnum"], bytes.fromhex(call["stub"])] + [call["object"]] * bool(call["object"])
        stub = connections[iface].request(*args)
        stubs.append(stub.hex())
    json.dump({"stubs": stubs}, sys.stdout)


try:
    main()
except (NTSTATUSError, RuntimeError) as e:
    json.dump({"error": str(e)}, sys.stdout)
