package csra_test

import (
	"testing"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
)

// FuzzMessages decodes a stub as every message, and encodes and decodes again what could be decoded.
func FuzzMessages(f *testing.F) {
	all := func() []message {
		return []message{
			new(csra.ByName), new(csra.ByRequest), new(csra.BySerial), new(csra.Revoke), new(publish),
			&publish{flags: true},
			new(csra.Property), new(csra.Range), new(csra.TableRange), new(csra.Elements), new(csra.OpenView),
			new(csra.Result), new(csra.Number), new(csra.Validity), new(csra.Table), new(csra.Blob),
		}
	}
	for _, p := range append(requests(), answers()...) {
		for _, wide := range []bool{false, true} {
			w := ndr.NewWriter(wide, 0)
			p.ours.Write(w)
			f.Add(w.Stub(), wide)
		}
	}
	f.Fuzz(func(t *testing.T, stub []byte, wide bool) {
		for i, m := range all() {
			r := ndr.NewReader(stub, wide)
			m.Read(r)
			if r.Done() != nil {
				continue
			}
			w := ndr.NewWriter(wide, len(stub))
			m.Write(w)
			again := ndr.NewReader(w.Stub(), wide)
			all()[i].Read(again)
			if err := again.Done(); err != nil {
				t.Fatalf("%T: %v", m, err)
			}
		}
	})
}

// FuzzTables decodes bytes as every table, and encodes and decodes again what could be decoded.
func FuzzTables(f *testing.F) {
	end := uint32(2)
	f.Add(csra.EncodeRows(sampleRows(), &end), uint32(2))
	f.Add(csra.EncodeRows(nil, &end), uint32(0))
	f.Add(csra.EncodeColumns([]csra.Column{{ID: 1, Name: "a", DisplayName: "b"},
		{ID: 2, Name: "c", DisplayName: "d"}}), uint32(2))
	f.Add(csra.EncodeAttributes([]csra.Attribute{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}), uint32(2))
	f.Add(csra.EncodeExtensions([]csra.Extension{{Name: "1.2", Value: []byte{1}},
		{Name: "1.3", Value: []byte{2, 3}}}), uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, count uint32) {
		if rows, total, ended, err := csra.DecodeRows(b, count); err == nil {
			bytes := 0
			for i := range rows {
				for _, v := range rows[i].Values {
					bytes += len(v.Data)
					v.Integer()
					v.Date()
					v.Binary()
					v.Text()
				}
			}
			if uint32(len(rows)) != count {
				t.Fatalf("%d rows of %d", len(rows), count)
			}
			var endRow *uint32
			if ended {
				endRow = &total
			}
			// Values may overlap, so that all of them together can be longer than the table; only then it is not
			// repeated.
			if bytes <= len(b) {
				again, _, endedAgain, err := csra.DecodeRows(csra.EncodeRows(rows, endRow), count)
				if err != nil || len(again) != len(rows) || ended && !endedAgain {
					t.Fatalf("%d rows became %d: %v", len(rows), len(again), err)
				}
			}
		}
		if columns, err := csra.DecodeColumns(b, count); err == nil {
			if _, err := csra.DecodeColumns(csra.EncodeColumns(columns), count); err != nil {
				t.Fatal(err)
			}
		}
		if attributes, err := csra.DecodeAttributes(b, count); err == nil {
			if _, err := csra.DecodeAttributes(csra.EncodeAttributes(attributes), count); err != nil {
				t.Fatal(err)
			}
		}
		if extensions, err := csra.DecodeExtensions(b, count); err == nil {
			bytes := 0
			for _, e := range extensions {
				bytes += len(e.Value)
			}
			if bytes > len(b) {
				return
			}
			if _, err := csra.DecodeExtensions(csra.EncodeExtensions(extensions), count); err != nil {
				t.Fatal(err)
			}
		}
	})
}
