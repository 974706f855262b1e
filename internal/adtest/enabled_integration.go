//go:build integration

package adtest

// enabled is whether tests may want what is not Go.
const enabled = true
