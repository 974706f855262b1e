package tpm

// DecodeCredentials reads credentials as Activate does.
func DecodeCredentials(text []byte) error {
	_, err := decodeCredentials(text)
	return err
}

// RewriteKeyArea reads a public area and writes it again.
func RewriteKeyArea(raw []byte) ([]byte, error) {
	area, err := parseKeyArea(raw)
	if err != nil {
		return nil, err
	}
	return area.marshal(), nil
}
