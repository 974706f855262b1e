package csra_test

import (
	"context"
	"testing"

	"github.com/oiweiwei/go-msrpc/midl/uuid"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom"
	gencsra "github.com/oiweiwei/go-msrpc/msrpc/dcom/csra"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/csra/icertadmind/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/csra/icertadmind2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	genndr "github.com/oiweiwei/go-msrpc/ndr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
)

// message is a message of this package.
type message interface {
	Write(*ndr.Writer)
	Read(*ndr.Reader)
}

// publish is Publish with or without the flags.
type publish struct {
	csra.Publish
	flags bool
}

func (p *publish) Write(w *ndr.Writer) { p.Publish.Write(w, p.flags) }
func (p *publish) Read(r *ndr.Reader)  { p.Publish.Read(r, p.flags) }

// generated is a message of go-msrpc, whose code was generated from the IDL.
type generated interface {
	MarshalNDR(context.Context, genndr.Writer) error
	UnmarshalNDR(context.Context, genndr.Reader) error
}

// authority is in ASCII: go-msrpc v1.5.2 counts the characters of other strings wrong.
const authority = "Corp CA"

// pair is one message, as both packages have it. The empty ones are what it is decoded into.
type pair struct {
	name          string
	ours, empty   message
	theirs, blank generated
}

func this() *dcom.ORPCThis {
	return &dcom.ORPCThis{Version: &dcom.COMVersion{MajorVersion: 5, MinorVersion: 7},
		CID: (*dcom.CID)(dtyp.GUIDFromUUID(new(uuid.UUID)))}
}

func that() *dcom.ORPCThat { return &dcom.ORPCThat{} }

func blob(b []byte) *gencsra.CertTransportBlob {
	return &gencsra.CertTransportBlob{Length: uint32(len(b)), Buffer: b}
}

// time1 is a FILETIME with four different words.
const time1 = 0x01db_3c4d_5e6f_7081

func filetime() *dtyp.Filetime {
	return &dtyp.Filetime{LowDateTime: time1 & 0xffffffff, HighDateTime: time1 >> 32}
}

func requests() []pair {
	const id, serial = 1105, "610000000254f0"
	return []pair{
		{"ResubmitRequest", &csra.ByRequest{Authority: authority, RequestID: id}, new(csra.ByRequest),
			&icertadmind.ResubmitRequestRequest{This: this(), Authority: authority, RequestID: id},
			new(icertadmind.ResubmitRequestRequest)},
		{"DenyRequest", &csra.ByRequest{Authority: authority, RequestID: id}, new(csra.ByRequest),
			&icertadmind.DenyRequestRequest{This: this(), Authority: authority, RequestID: id},
			new(icertadmind.DenyRequestRequest)},
		{"IsValidCertificate", &csra.BySerial{Authority: authority, Serial: serial}, new(csra.BySerial),
			&icertadmind.IsValidCertificateRequest{This: this(), Authority: authority, SerialNumber: serial},
			new(icertadmind.IsValidCertificateRequest)},
		{"PublishCRL", &publish{csra.Publish{Authority: authority, NextUpdate: time1}, false}, new(publish),
			&icertadmind.PublishCRLRequest{This: this(), Authority: authority, FileTime: filetime()},
			new(icertadmind.PublishCRLRequest)},
		{"RevokeCertificate", &csra.Revoke{Authority: authority, Serial: serial, Reason: csra.ReasonReleaseOfHold,
			Effective: time1}, new(csra.Revoke),
			&icertadmind.RevokeCertificateRequest{This: this(), Authority: authority, SerialNumber: serial,
				Reason: 0xffffffff, FileTime: filetime()},
			new(icertadmind.RevokeCertificateRequest)},
		{"EnumViewColumn", &csra.Range{Authority: authority, First: 3, Count: 70}, new(csra.Range),
			&icertadmind.EnumViewColumnRequest{This: this(), Authority: authority, Column: 3, ColumnCount: 70},
			new(icertadmind.EnumViewColumnRequest)},
		{"EnumAttributesOrExtensions",
			&csra.Elements{Authority: authority, RequestID: id, Kind: csra.ElementExtensions, Last: "a", Count: 5},
			new(csra.Elements),
			&icertadmind.EnumAttributesOrExtensionsRequest{This: this(), Authority: authority, RowID: id, Flags: 1,
				Last: "a", Count: 5},
			new(icertadmind.EnumAttributesOrExtensionsRequest)},
		{"EnumAttributesOrExtensions, from the first", &csra.Elements{Authority: authority, RequestID: id, Count: 5},
			new(csra.Elements),
			&icertadmind.EnumAttributesOrExtensionsRequest{This: this(), Authority: authority, RowID: id, Count: 5},
			new(icertadmind.EnumAttributesOrExtensionsRequest)},
		openView(),
		{"OpenView of everything", &csra.OpenView{Authority: authority, Restrictions: []csra.Restriction{},
			Columns: []uint32{}, First: 1, Count: 1},
			new(csra.OpenView), &icertadmind.OpenViewRequest{This: this(), Authority: authority, ID: 1, Count: 1},
			new(icertadmind.OpenViewRequest)},
		{"EnumView", &csra.Range{Authority: authority, First: 51, Count: 50}, new(csra.Range),
			&icertadmind.EnumViewRequest{This: this(), Authority: authority, ID: 51, Count: 50},
			new(icertadmind.EnumViewRequest)},
		{"CloseView", &csra.ByName{Authority: authority}, new(csra.ByName),
			&icertadmind.CloseViewRequest{This: this(), Authority: authority}, new(icertadmind.CloseViewRequest)},
		{"Ping, to whatever CA there is", &csra.ByName{}, new(csra.ByName), &icertadmind.PingRequest{This: this()},
			new(icertadmind.PingRequest)},
		{"GetServerState", &csra.ByName{Authority: authority}, new(csra.ByName),
			&icertadmind.GetServerStateRequest{This: this(), Authority: authority},
			new(icertadmind.GetServerStateRequest)},
		{"PublishCRLs", &publish{csra.Publish{Authority: authority, NextUpdate: time1,
			Flags: csra.PublishBase | csra.PublishDelta}, true}, &publish{flags: true},
			&icertadmind2.PublishCRLsRequest{This: this(), Authority: authority, FileTime: filetime(), Flags: 3},
			new(icertadmind2.PublishCRLsRequest)},
		{"GetCAProperty", &csra.Property{Authority: authority, ID: 0x1d, Index: -1, Type: 4}, new(csra.Property),
			&icertadmind2.GetCAPropertyRequest{This: this(), Authority: authority, PropertyID: 0x1d, PropertyIndex: -1,
				PropertyType: 4},
			new(icertadmind2.GetCAPropertyRequest)},
		{"GetCAPropertyInfo", &csra.ByName{Authority: authority}, new(csra.ByName),
			&icertadmind2.GetCAPropertyInfoRequest{This: this(), Authority: authority},
			new(icertadmind2.GetCAPropertyInfoRequest)},
		{"EnumViewColumnTable", &csra.TableRange{Authority: authority, Table: csra.TableCRLs, First: 2, Count: 9},
			new(csra.TableRange),
			&icertadmind2.EnumViewColumnTableRequest{This: this(), Authority: authority, Table: 0x5000, Column: 2,
				ColumnCount: 9},
			new(icertadmind2.EnumViewColumnTableRequest)},
		{"Ping2", &csra.ByName{Authority: authority}, new(csra.ByName),
			&icertadmind2.Ping2Request{This: this(), Authority: authority}, new(icertadmind2.Ping2Request)},
		{"GetMyRoles", &csra.ByName{Authority: authority}, new(csra.ByName),
			&icertadmind2.GetMyRolesRequest{This: this(), Authority: authority}, new(icertadmind2.GetMyRolesRequest)},
	}
}

func openView() pair {
	value := csra.Text(`CORP\svc-adcs`)
	return pair{"OpenView",
		&csra.OpenView{
			Authority: authority, First: 1, Count: 50, Columns: []uint32{0x1000, 0x1001, 0x2006},
			Restrictions: []csra.Restriction{
				csra.Restrict(0x1010, csra.SeekEqual, csra.String(0x1010, `CORP\svc-adcs`)),
				{Column: 0x100b, Seek: csra.SeekGreaterOrEqual, Sort: csra.SortDescending,
					Value: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
				{Column: 0x2006, Seek: csra.SeekLess},
			},
		}, new(csra.OpenView),
		&icertadmind.OpenViewRequest{
			This: this(), Authority: authority, ID: 1, Count: 50, ColumnsCountOut: 3,
			ColumnsOut:               []uint32{0x1000, 0x1001, 0x2006},
			CertViewRestrictionCount: 3, CertViewRestrictions: []*gencsra.CertViewRestriction{
				{ColumnIndex: 0x1010, SeekOperator: 1, Value: value, ValueLength: uint32(len(value))},
				{ColumnIndex: 0x100b, SeekOperator: 8, SortOrder: 2, Value: []byte{1, 2, 3, 4, 5, 6, 7, 8},
					ValueLength: 8},
				{ColumnIndex: 0x2006, SeekOperator: 2},
			},
		}, new(icertadmind.OpenViewRequest)}
}

func answers() []pair {
	data := []byte("twelve bytes!")
	const refusal = 0x80094004
	code := uint32(refusal)
	return []pair{
		{"ResubmitRequest", &csra.Number{Number: 3}, new(csra.Number),
			&icertadmind.ResubmitRequestResponse{That: that(), Disposition: 3},
			new(icertadmind.ResubmitRequestResponse)},
		{"DenyRequest", &csra.Result{Return: refusal}, new(csra.Result),
			&icertadmind.DenyRequestResponse{That: that(), Return: int32(code)}, new(icertadmind.DenyRequestResponse)},
		{"IsValidCertificate", &csra.Validity{Reason: csra.ReasonHold, State: csra.StateRevoked}, new(csra.Validity),
			&icertadmind.IsValidCertificateResponse{That: that(), RevocationReason: 6, Disposition: 2},
			new(icertadmind.IsValidCertificateResponse)},
		{"OpenView", &csra.Table{Count: 2, Data: data, Return: csra.EndOfData}, new(csra.Table),
			&icertadmind.OpenViewResponse{That: that(), Fetched: 2, ResultRows: blob(data), Return: 1},
			new(icertadmind.OpenViewResponse)},
		{"EnumView, refused", &csra.Table{Return: refusal}, new(csra.Table),
			&icertadmind.EnumViewResponse{That: that(), ResultRows: blob(nil), Return: int32(code)},
			new(icertadmind.EnumViewResponse)},
		{"EnumViewColumnTable", &csra.Table{Count: 2, Data: data}, new(csra.Table),
			&icertadmind2.EnumViewColumnTableResponse{That: that(), ColumnOutCount: 2, ColumnInfo: blob(data)},
			new(icertadmind2.EnumViewColumnTableResponse)},
		{"EnumAttributesOrExtensions", &csra.Table{Count: 2, Data: data}, new(csra.Table),
			&icertadmind.EnumAttributesOrExtensionsResponse{That: that(), Fetched: 2, Out: blob(data)},
			new(icertadmind.EnumAttributesOrExtensionsResponse)},
		{"GetCAPropertyInfo", &csra.Table{Count: 2, Data: data}, new(csra.Table),
			&icertadmind2.GetCAPropertyInfoResponse{That: that(), PropertyCount: 2, PropertyInfo: blob(data)},
			new(icertadmind2.GetCAPropertyInfoResponse)},
		{"GetCAProperty", &csra.Blob{Data: data}, new(csra.Blob),
			&icertadmind2.GetCAPropertyResponse{That: that(), PropertyValue: blob(data)},
			new(icertadmind2.GetCAPropertyResponse)},
		{"GetServerState", &csra.Number{Number: 1}, new(csra.Number),
			&icertadmind.GetServerStateResponse{That: that(), State: 1}, new(icertadmind.GetServerStateResponse)},
		{"GetMyRoles", &csra.Number{Number: 0x103}, new(csra.Number),
			&icertadmind2.GetMyRolesResponse{That: that(), Roles: 0x103}, new(icertadmind2.GetMyRolesResponse)},
	}
}

// TestAgreesWithGenerated encodes every message with one implementation and decodes it with the other, both ways, in
// both syntaxes.
func TestAgreesWithGenerated(t *testing.T) {
	for _, wide := range []bool{false, true} {
		codec, suffix := genndr.NDR20, ", NDR20"
		if wide {
			codec, suffix = genndr.NDR64, ", NDR64"
		}
		for _, p := range requests() {
			t.Run("request of "+p.name+suffix, func(t *testing.T) { p.compare(t, codec, wide, thisBytes(t, codec)) })
		}
		for _, p := range answers() {
			t.Run("answer of "+p.name+suffix, func(t *testing.T) { p.compare(t, codec, wide, thatBytes(t, codec)) })
		}
	}
}

type codec = func([]byte, ...any) genndr.NDR

func thisBytes(t *testing.T, codec codec) []byte {
	w := codec(nil)
	require.NoError(t, (&icertadmind.PingRequest{This: this()}).MarshalNDR(t.Context(), w))
	return w.Bytes()[:prefix(w.Bytes(), 32, 40)]
}

func thatBytes(t *testing.T, codec codec) []byte {
	w := codec(nil)
	require.NoError(t, (&icertadmind.PingResponse{That: that()}).MarshalNDR(t.Context(), w))
	return w.Bytes()[:prefix(w.Bytes(), 8, 16)]
}

// prefix is the length of ORPCTHIS or ORPCTHAT without extensions (MS-DCOM sections 2.2.13.3 and 2.2.13.4), by which of
// the two lengths leaves room for one parameter.
func prefix(stub []byte, narrow, wide int) int {
	if len(stub) >= wide+4 {
		return wide
	}
	return narrow
}

func (p *pair) compare(t *testing.T, codec codec, wide bool, prefix []byte) {
	w := ndr.NewWriter(wide, 0)
	w.Bytes(prefix)
	p.ours.Write(w)
	require.NoError(t, p.blank.UnmarshalNDR(t.Context(), codec(w.Stub())))
	theirs := codec(nil)
	require.NoError(t, p.theirs.MarshalNDR(t.Context(), theirs))
	again := codec(nil)
	require.NoError(t, p.blank.MarshalNDR(t.Context(), again))
	assert.Equal(t, theirs.Bytes(), again.Bytes(), "what the generated code read of ours")

	r := ndr.NewReader(theirs.Bytes(), wide)
	r.Bytes(uint64(len(prefix)))
	p.empty.Read(r)
	require.NoError(t, r.Done())
	assert.Equal(t, p.ours, p.empty, "what we read of theirs")
	assert.Len(t, w.Stub(), len(theirs.Bytes()))
}
