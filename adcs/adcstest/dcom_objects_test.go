package adcstest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc"
)

// newObjects is a table whose clock stands still until the test moves it, with one object of two interfaces.
func newObjects(t testing.TB) (*adcstest.ObjectTable, *time.Time, []dcom.StdObjRef) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	table := adcstest.NewObjectTable(func() time.Time { return now })
	list, hr := table.Activate(dcom.ClassCertRequest(), dcom.ICertRequestD2(), dcom.ICertRequestD())
	require.Zero(t, hr)
	return table, &now, []dcom.StdObjRef{list[0].Ref.Std, list[1].Ref.Std}
}

// TestReferences counts references to the interfaces of an object (MS-DCOM section 3.1.1.5.6.1).
func TestReferences(t *testing.T) {
	table, _, refs := newObjects(t)
	two, one := refs[0].IPID, refs[1].IPID
	assert.Equal(t, refs[0].OID, refs[1].OID)
	assert.NotEqual(t, one, two)
	assert.EqualValues(t, 5, refs[0].PublicRefs)

	table.Release("a", dcom.InterfaceRef{IPID: two, PublicRefs: 4})
	assert.True(t, table.Alive(two))
	table.Release("a", dcom.InterfaceRef{IPID: two, PublicRefs: 100})
	assert.False(t, table.Alive(two), "more than there are is all of them")
	assert.True(t, table.Alive(one))

	got := table.Query(&dcom.RemQueryInterface{IPID: one, Refs: 2, IIDs: []rpc.UUID{
		dcom.ICertRequestD(), dcom.ICertRequestD2(), csra.ICertAdminD(),
	}})
	require.Zero(t, got.Return)
	require.Len(t, got.Results, 3)
	assert.Equal(t, one, got.Results[0].Ref.IPID, "the interface that it has")
	assert.NotEqual(t, two, got.Results[1].Ref.IPID, "another one")
	assert.EqualValues(t, 0x80004002, got.Results[2].Result)
	assert.EqualValues(t, 0x80010114, table.Query(&dcom.RemQueryInterface{IPID: two}).Return)

	two = got.Results[1].Ref.IPID
	hrs := table.AddRefs("a", dcom.InterfaceRef{IPID: two, PublicRefs: 1, PrivateRefs: 1}, dcom.InterfaceRef{})
	assert.Equal(t, []uint32{0, 0x800401FD}, hrs)
	table.Release("b", dcom.InterfaceRef{IPID: two, PublicRefs: 3, PrivateRefs: 9})
	assert.True(t, table.Alive(two), "a has a private reference, which b cannot release")
	table.Release("a", dcom.InterfaceRef{IPID: two, PrivateRefs: 1}, dcom.InterfaceRef{IPID: one, PublicRefs: 7})
	assert.Zero(t, table.Count())

	list, _ := table.Activate(dcom.ClassCertRequest(), dcom.ICertRequestD())
	ipid := list[0].Ref.Std.IPID
	table.AddRefs("a", dcom.InterfaceRef{IPID: ipid, PublicRefs: 0xfffffffb})
	table.Release("a", dcom.InterfaceRef{IPID: ipid, PublicRefs: 1})
	assert.True(t, table.Alive(ipid), "counting does not overflow")
}

// TestPings keeps objects alive, and loses them (MS-DCOM sections 3.1.2.5.1.2, 3.1.2.5.1.3 and 3.1.2.6).
func TestPings(t *testing.T) {
	table, now, refs := newObjects(t)
	pinged := table.ChangeSet(&dcom.ComplexPing{Add: []uint64{refs[0].OID, 12345}, Sequence: 1})
	require.Zero(t, pinged.Status, "a new set passes over what is not there")
	for range 10 {
		*now = now.Add(5 * time.Minute)
		require.Zero(t, table.Ping(pinged.Set))
		require.Equal(t, 1, table.Count())
	}
	old := table.ChangeSet(&dcom.ComplexPing{Set: pinged.Set, Sequence: 0, Delete: []uint64{refs[0].OID}})
	assert.Zero(t, old.Status, "an old call that comes late changes nothing")
	*now = now.Add(5 * time.Minute)
	require.Zero(t, table.Ping(pinged.Set))
	*now = now.Add(5 * time.Minute)
	require.Equal(t, 1, table.Count())

	missing := table.ChangeSet(&dcom.ComplexPing{Set: pinged.Set, Sequence: 2, Add: []uint64{12345}})
	assert.EqualValues(t, 1911, missing.Status)
	taken := table.ChangeSet(&dcom.ComplexPing{Set: pinged.Set, Sequence: 3, Delete: []uint64{refs[0].OID, 1}})
	require.Zero(t, taken.Status)
	*now = now.Add(5 * time.Minute)
	require.Zero(t, table.Ping(pinged.Set))
	assert.Zero(t, table.Count(), "in no set, and not called for three periods")

	*now = now.Add(7 * time.Minute)
	assert.EqualValues(t, 1912, table.Ping(pinged.Set))
	assert.EqualValues(t, 1912, table.ChangeSet(&dcom.ComplexPing{Set: pinged.Set}).Status)
}

// TestReclaimed is an object that nobody pings: calls keep it for three periods, and then it is gone.
func TestReclaimed(t *testing.T) {
	table, now, refs := newObjects(t)
	for range 5 {
		*now = now.Add(6 * time.Minute)
		require.True(t, table.Alive(refs[0].IPID))
	}
	*now = now.Add(6*time.Minute + time.Second)
	assert.False(t, table.Alive(refs[0].IPID))
	assert.Zero(t, table.Count())

	table, now, refs = newObjects(t)
	pinged := table.ChangeSet(&dcom.ComplexPing{Add: []uint64{refs[0].OID}})
	*now = now.Add(7 * time.Minute)
	assert.Zero(t, table.Count(), "the set has expired, and with it the object")
	assert.EqualValues(t, 1912, table.Ping(pinged.Set))
}

// TestActivateRefused asks for what there is not.
func TestActivateRefused(t *testing.T) {
	table, _, _ := newObjects(t)
	_, hr := table.Activate(rpc.UUID{1}, dcom.ICertRequestD())
	assert.EqualValues(t, 0x80040154, hr)
	_, hr = table.Activate(dcom.ClassCertRequest(), csra.ICertAdminD())
	assert.EqualValues(t, 0x80004002, hr)
	list, hr := table.Activate(csra.CLSID(), dcom.ICertRequestD(), csra.ICertAdminD2())
	assert.Zero(t, hr)
	assert.EqualValues(t, 0x80004002, list[0].Result)
	assert.Nil(t, list[0].Ref)
	assert.NotNil(t, list[1].Ref)
}

// TestObjectLimits makes more objects and sets than there may be.
func TestObjectLimits(t *testing.T) {
	table, now, _ := newObjects(t)
	refused := 0
	for range 1 << 16 {
		if _, hr := table.Activate(dcom.ClassCertRequest(), dcom.ICertRequestD()); hr != 0 {
			assert.EqualValues(t, 0x8007000E, hr)
			refused++
		}
	}
	assert.Equal(t, 1, refused)
	for range 1 << 12 {
		require.Zero(t, table.ChangeSet(&dcom.ComplexPing{}).Status)
	}
	assert.EqualValues(t, 14, table.ChangeSet(&dcom.ComplexPing{}).Status)
	*now = now.Add(7 * time.Minute)
	assert.Zero(t, table.Count())
	assert.Zero(t, table.ChangeSet(&dcom.ComplexPing{}).Status, "there is room again")
}
