#!/usr/bin/python3
"""An SMB server that shares no code with adcskit or Samba: impacket's, with one named pipe, cert, that leads to a DCE/RPC
server on a TCP port. It prints its own port, and serves until its standard input ends.

    foreign_smb.py ADDRESS USER PASSWORD PORT"""

import sys
import threading

from impacket import ntlm, smbserver

address, user, password, port = sys.argv[1:]
server = smbserver.SimpleSMBServer(listenAddress=address, listenPort=445)
server.setSMB2Support(True)
server.addCredential(user, 0, ntlm.compute_lmhash(password).hex(), ntlm.compute_nthash(password).hex())
server.registerNamedPipe("cert", ("127.0.0.1", int(port)))
threading.Thread(target=server.start, daemon=True).start()
print(445, flush=True)
sys.stdin.read()
