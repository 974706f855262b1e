package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/tpm"
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

// openTPM opens a TPM. Without an error there may be none: why says why, and then keys are made in files.
func (c *config) openTPM(at string, anew bool) (t *tpm.TPM, why string, err error) {
	options, err := c.TPMAuth.options()
	if err != nil {
		return nil, "", err
	}
	t, err = tpm.Open(at, options)
	switch {
	case err == nil:
		return t, "", nil
	case anew && at == tpmAuto && filesWillDo(err):
		return nil, err.Error(), nil
	case anew:
		return nil, "", fmt.Errorf("%w; to have them in files: -tpm none", err)
	}
	if at == tpmAuto {
		return nil, "", fmt.Errorf("they are in a TPM: %w; if that is another: -tpm PATH, or \"tpm\" in the configuration", err)
	}
	return nil, "", fmt.Errorf("they are in a TPM: %w", err)
}

// filesWillDo reports whether keys are made in files because of an error. If there is no TPM they are. But one that this
// account may not use is for a person to look at: nobody would notice, and the keys would stay in files for good.
func filesWillDo(err error) bool {
	return errors.Is(err, tpm.ErrNoTPM) && !errors.Is(err, fs.ErrPermission)
}

// options reads the authorization values.
func (a *tpmAuthConfig) options() (*tpm.Options, error) {
	o := new(tpm.Options)
	for _, auth := range []struct {
		key, file string
		value     *[]byte
	}{
		{"keyFile", a.KeyFile, &o.KeyAuth}, {"ownerFile", a.OwnerFile, &o.OwnerAuth},
		{"endorsementFile", a.EndorsementFile, &o.EndorsementAuth},
	} {
		if auth.file == "" {
			continue
		}
		text, err := cli.Password(auth.file, "")
		if err != nil {
			return nil, fmt.Errorf("tpmAuth.%s: %w", auth.key, err)
		}
		*auth.value = []byte(text)
	}
	return o, nil
}
