package discovery

import "slices"

// Right is something that an account may do with a template or a CA.
type Right string

// The rights.
const (
	RightEnroll     Right = "enroll"     // ask for certificates
	RightAutoEnroll Right = "autoenroll" // be enrolled by Windows without being asked
	RightWrite      Right = "write"      // change the object or its rights, and so give oneself all of them
)

// The extended rights (MS-CRTD 2.5.2).
const (
	guidEnroll     = "0e10c968-78fb-11d2-90d4-00c04f79dc55"
	guidAutoEnroll = "a05b8cc2-17bc-4802-a710-e7c15ab866a2"
)

// The bits of an access mask (MS-DTYP 2.4.3, MS-ADTS 5.1.3.2).
const (
	maskWriteProperty = 0x00000020
	maskControlAccess = 0x00000100
	maskWriteDACL     = 0x00040000
	maskWriteOwner    = 0x00080000
	maskGenericWrite  = 0x40000000
	maskGenericAll    = 0x10000000
)

// Grant is a right that somebody was given.
type Grant struct {
	SID   SID
	Right Right
	// Conditional is true if a condition guards the right, which is not evaluated: [Access.Allows] takes it as not given,
	// [Template.Findings] as given.
	Conditional bool
}

// Allows reports whether an account has a right. Token is its SID and those of all groups that it is in, directly or
// not (the attribute tokenGroups); Everyone and Authenticated Users need not be in it. Entries are evaluated in their
// order, as MS-ADTS 5.1.3.3 has it: what is denied before it is given is not given.
func (a Access) Allows(right Right, token ...SID) bool {
	if a.open || right == RightWrite && slices.Contains(token, a.Owner) {
		return true
	}
	token = append([]SID{SIDEveryone, SIDAuthenticatedUsers, sidNetwork}, token...)
	return slices.ContainsFunc(right.masks(), func(bit uint32) bool { return a.decide(right, bit, token) })
}

// decide evaluates one bit.
func (a Access) decide(right Right, bit uint32, token []SID) bool {
	var denies []ace
	for _, e := range a.aces {
		switch {
		case !e.gives(right, bit) || !slices.Contains(token, e.sid) || e.conditional && !e.deny:
		case e.deny:
			denies = append(denies, e)
		case !slices.ContainsFunc(denies, func(d ace) bool { return d.covers(e, bit) }):
			return true
		}
	}
	return false
}

// covers reports whether nothing is left of what e gives of a bit, if d denies its own before: who may not write one
// property may write the others.
func (d ace) covers(e ace, bit uint32) bool {
	return d.object == "" || d.object == e.object || bit == maskControlAccess
}

// masks are the bits each of which is the right.
func (r Right) masks() []uint32 {
	if r == RightWrite {
		return []uint32{maskWriteProperty, maskWriteDACL, maskWriteOwner}
	}
	return []uint32{maskControlAccess}
}

// gives reports whether the entry speaks of a bit of a right. Generic rights contain the others.
func (e ace) gives(right Right, bit uint32) bool {
	mask := e.mask
	if mask&maskGenericAll != 0 {
		mask |= maskWriteProperty | maskControlAccess | maskWriteDACL | maskWriteOwner
	}
	if mask&maskGenericWrite != 0 {
		mask |= maskWriteProperty
	}
	switch {
	case mask&bit == 0:
		return false
	case e.object == "":
		return true
	case bit == maskControlAccess:
		return e.object == right.guid()
	}
	// One property or a set of them is enough to do harm; Windows writes the bit next to extended rights for nothing.
	return bit == maskWriteProperty && e.object != guidEnroll && e.object != guidAutoEnroll
}

func (r Right) guid() string {
	switch r {
	case RightEnroll:
		return guidEnroll
	case RightAutoEnroll:
		return guidAutoEnroll
	}
	return ""
}

// Grants lists who has which right, each once, those who are denied left out. What an account has as a member of a
// group is listed as the group's.
func (a Access) Grants() []Grant {
	var grants []Grant
	if a.open {
		for _, right := range []Right{RightEnroll, RightAutoEnroll, RightWrite} {
			grants = append(grants, Grant{SID: SIDEveryone, Right: right})
		}
		return grants
	}
	if a.Owner != "" {
		grants = append(grants, Grant{SID: a.Owner, Right: RightWrite})
	}
	for i := range a.aces {
		for _, right := range []Right{RightEnroll, RightAutoEnroll, RightWrite} {
			if a.grants(i, right) {
				grants = append(grants, Grant{SID: a.aces[i].sid, Right: right, Conditional: a.aces[i].conditional})
			}
		}
	}
	return unique(grants)
}

// grants reports whether entry i gives a right that no entry before it denies to the same SID.
func (a Access) grants(i int, right Right) bool {
	e := a.aces[i]
	return !e.deny && slices.ContainsFunc(right.masks(), func(bit uint32) bool {
		denied := slices.ContainsFunc(a.aces[:i], func(d ace) bool {
			return d.deny && !d.conditional && d.sid == e.sid && d.gives(right, bit) && d.covers(e, bit)
		})
		return e.gives(right, bit) && !denied
	})
}

// unique leaves the first of equal grants, and of those that differ in the condition the one without.
func unique(grants []Grant) []Grant {
	var out []Grant
	for _, g := range grants {
		i := slices.IndexFunc(out, func(o Grant) bool { return o.SID == g.SID && o.Right == g.Right })
		if i < 0 {
			out = append(out, g)
			continue
		}
		out[i].Conditional = out[i].Conditional && g.Conditional
	}
	return out
}
