package adtest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// entry is an object of the directory: values by attribute.
type entry map[string][]string

// ldif is the record that adds the entry. All values are in base64, so none can be taken for something else.
func (e entry) ldif(dn string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn:: %s\nchangetype: add\n", base64.StdEncoding.EncodeToString([]byte(dn)))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		for _, value := range e[name] {
			fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	return b.String() + "\n"
}

// add adds an object and removes it when the test ends.
func (d *Domain) add(t testing.TB, dn string, e entry) {
	t.Helper()
	d.LDIF(t, e.ldif(dn))
	t.Cleanup(func() { d.LDIF(t, deletion(dn)) })
}

func deletion(dn string) string {
	return "dn:: " + base64.StdEncoding.EncodeToString([]byte(dn)) + "\nchangetype: delete\n\n"
}

// LDIF changes the directory with the rights of the system. Records without a changetype are added. The domain
// controller sees the change at once.
func (d *Domain) LDIF(t testing.TB, ldif string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := modify(d.database(), ldif); err != nil {
		t.Fatalf("adtest: %v", err)
	}
}
