package mobileconfig

// NameUUID makes the UUIDs of a profile.
func NameUUID(space, name string) string { return nameUUID(space, name) }
