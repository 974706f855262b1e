"""What a device does with a configuration profile, for wpa_supplicant: follows its references from the network to the
identity and the anchors, writes both to files, and prints the network block.

usage: apple_wifi.py PROFILE FOLDER
"""
import plistlib
import ssl
import sys

profile, folder = sys.argv[1:]
with open(profile, "rb") as f:
    payloads = plistlib.load(f)["PayloadContent"]
by_uuid = {p["PayloadUUID"]: p for p in payloads}
if len(by_uuid) != len(payloads):
    sys.exit("two payloads have the same UUID")
wifi = [p for p in payloads if p["PayloadType"] == "com.apple.wifi.managed"]
if len(wifi) != 1:
    sys.exit(f"{len(wifi)} networks")
wifi = wifi[0]
eap = wifi["EAPClientConfiguration"]
if eap["AcceptEAPTypes"] != [13]:
    sys.exit("not EAP-TLS alone")

identity = by_uuid[wifi["PayloadCertificateUUID"]]
if identity["PayloadType"] != "com.apple.security.pkcs12":
    sys.exit("the network has no identity")
with open(folder + "/identity.p12", "wb") as f:
    f.write(identity["PayloadContent"])
with open(folder + "/anchors.pem", "w") as f:
    for uuid in eap["PayloadCertificateAnchorUUID"]:
        if by_uuid[uuid]["PayloadType"] not in ("com.apple.security.root", "com.apple.security.pkcs1"):
            sys.exit("an anchor is no certificate")
        f.write(ssl.DER_cert_to_PEM_cert(by_uuid[uuid]["PayloadContent"]))

print("network={")
print(f'    ssid="{wifi["SSID_STR"]}"')
print("    key_mgmt=WPA-EAP\n    eap=TLS")
print(f'    identity="{eap["UserName"]}"')
print(f'    ca_cert="{folder}/anchors.pem"')
print(f'    domain_suffix_match="{";".join(eap["TLSTrustedServerNames"])}"')
print(f'    private_key="{folder}/identity.p12"')
print(f'    private_key_passwd="{identity["Password"]}"')
if eap.get("TLSMaximumVersion") == "1.3":
    print('    phase1="tls_disable_tlsv1_3=0"')
print("}")
