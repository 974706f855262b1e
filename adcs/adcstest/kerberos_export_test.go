package adcstest

// SIDOfPAC is sidOfPAC.
func SIDOfPAC(pac []byte) string { return sidOfPAC(pac) }
