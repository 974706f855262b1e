package tpm_test

import (
	"crypto"
	"crypto/ecdh"
	"testing"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// A store is what a connector keeps its keys in, though neither package knows the other.
var (
	_ connector.KeyStore = (*tpm.Store)(nil)
	_ crypto.Signer      = (*tpm.Signer)(nil)
	_ ecdh.KeyExchanger  = (*tpm.KeyExchanger)(nil)
)

func TestStoreFits(t *testing.T) {
	var store connector.KeyStore = new(tpm.Store)
	if store.Kind() != "tpm2" {
		t.Error(store.Kind())
	}
}
