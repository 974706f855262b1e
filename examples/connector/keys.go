package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// keys are the identity of this connector, and where its keys are.
type keys struct {
	identity *connector.Identity
	tpm      *tpm.TPM           // nil: none is used, the keys are files
	attester connector.Attester // of the keys in the TPM
	why      string             // why the keys are files
}

// Where keys are made, if not in the TPM at a path.
const (
	tpmAuto = "auto"
	tpmNone = "none"
)

// tpmPath is what is opened as a TPM, with the path in it relative to a folder.
func tpmPath(folder, at string) string {
	path, socket := strings.CutPrefix(at, "unix:")
	switch {
	case socket && path != "":
		return "unix:" + absolute(folder, path)
	case slices.Contains([]string{tpmAuto, tpmNone, "tbs"}, at), socket, strings.HasPrefix(at, "tcp:"):
		return at
	}
	return absolute(folder, at)
}

// openKeys opens the identity in a folder, or makes it where the configuration says. What is there stays what it is: keys
// that are files never become others because a TPM has appeared, nor keys in a TPM because it has gone.
func openKeys(c *config) (*keys, error) {
	kind, err := connector.IdentityKind(c.State)
	if err != nil {
		return nil, err
	}
	k := new(keys)
	switch inFiles := kind == connector.KindSoftware; {
	case c.TPM == tpmNone && kind != "" && !inFiles:
		return nil, fmt.Errorf("the keys in %s are in a TPM, and it is not to be used (none): have it used, make other keys with "+
			"`connector -tpm none rotate`, or move the folder away to register anew", c.State)
	case c.TPM == tpmNone:
		k.why = "no TPM is to be used (none)"
	case c.TPM == tpmAuto && inFiles:
		k.why = "those in " + c.State + " were made as files; `connector rotate` makes others, in the TPM if there is one"
	case inFiles:
		return nil, fmt.Errorf("the keys in %s are files, and not in the TPM at %s: make others there with `connector -tpm %[2]s "+
			"rotate`, use the files with -tpm none, or move the folder away to register anew", c.State, c.TPM)
	default:
		if k.tpm, k.why, err = openTPM(c.TPM, kind == ""); err != nil {
			return nil, fmt.Errorf("the keys in %s: %w", c.State, err)
		}
	}
	if err := k.open(c.State); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

// openTPM opens a TPM. Without an error there may be none: why says why, and then keys are made in files.
func openTPM(at string, anew bool) (t *tpm.TPM, why string, err error) {
	t, err = tpm.Open(at, nil)
	switch {
	case err == nil:
		return t, "", nil
	case anew && at == tpmAuto && filesWillDo(err):
		return nil, err.Error(), nil
	case anew:
		return nil, "", fmt.Errorf("%w; to have them in files: -tpm none", err)
	}
	return nil, "", fmt.Errorf("they are in a TPM: %w", err)
}

// filesWillDo reports whether keys are made in files because of an error. If there is no TPM they are. But one that this
// account may not use is for a person to look at: nobody would notice, and the keys would stay in files for good.
func filesWillDo(err error) bool {
	return errors.Is(err, tpm.ErrNoTPM) && !errors.Is(err, fs.ErrPermission)
}

func (k *keys) open(folder string) (err error) {
	k.identity, err = connector.OpenIdentity(folder, k.store())
	if err != nil {
		return err
	}
	return k.attest()
}

// store returns no store, rather than one of no TPM, for keys that are files.
func (k *keys) store() connector.KeyStore {
	if k.tpm == nil {
		return nil
	}
	return k.tpm.Store()
}

// attest prepares what the tenant is shown of keys in a TPM.
func (k *keys) attest() error {
	if k.tpm == nil {
		return nil
	}
	attester, err := tpm.NewAttester(k.identity.Signer(), k.identity.Decryption())
	if err != nil {
		return err
	}
	k.attester = attester
	return nil
}

// close lets go of the TPM.
func (k *keys) close() error {
	if k.tpm == nil {
		return nil
	}
	return k.tpm.Close()
}
