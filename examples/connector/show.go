package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/adcskit/adcskit/wsproto"
)

// show prints what a sibling and a tenant know this connector by. It writes once: who reads only the first line and hangs
// up, as head does, would end the process by SIGPIPE before the TPM is emptied.
func show(ctx context.Context, k *keys, w io.Writer) error {
	out := new(bytes.Buffer)
	identity := k.identity
	signing, err := wsproto.MarshalPublicKey(identity.Signer().Public())
	if err != nil {
		return err
	}
	decryption, err := wsproto.MarshalPublicKey(identity.Decryption().PublicKey())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "instance       %s\n", identity.Instance())
	fmt.Fprintf(out, "fingerprint    %s\n", wsproto.FingerprintSPKI(signing))
	fmt.Fprintf(out, "identityKey    %s\n", base64.StdEncoding.EncodeToString(signing))
	fmt.Fprintf(out, "decryptionKey  %s\n", base64.StdEncoding.EncodeToString(decryption))
	fmt.Fprintf(out, "keys           %s\n", k.where())
	if k.tpm != nil {
		e, err := k.endorsement(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "ekHash         %s\n", e.hash)
		fmt.Fprintf(out, "ekCertificate  %s\n", e.certificate)
	}
	if r := identity.Registration(); r != nil {
		fmt.Fprintf(out, "tenantKey      %s\n", r.TenantKey)
		fmt.Fprintf(out, "registered as  %s\n", r.Connector)
	}
	if r := identity.Rotation(); r != nil {
		fmt.Fprintf(out, "replaces       %s\n", wsproto.FingerprintSPKI(r.IdentityKey))
	}
	_, err = w.Write(out.Bytes())
	return err
}
