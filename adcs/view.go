package adcs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/internal/csra"
)

// Limits on looking at the CA's database.
const (
	viewPage      = 32     // rows that are asked for at once; at most maxResponse bytes come
	viewLimit     = 20_000 // rows that are looked at for one question
	schemaPage    = 64     // columns that are asked for at once; Windows has some 80
	schemaColumns = 1024   // of a table, at most
)

// ErrTooManyRows is matched when a [Lookup] leaves too many rows of the CA's database to be looked at. Whether the
// request is among the others is not known.
var ErrTooManyRows = errors.New("too many rows of the CA's database are in question")

// schema is the columns of the request table by their names in lower case. Their identifiers differ between CAs, and
// only the CA may tell them ([MS-CSRA], section 3.2.4.1.12).
type schema map[string]csra.Column

// schema asks for the columns of the request table.
func (a *admin) schema(ctx context.Context) (schema, error) {
	s := schema{}
	for first := uint32(0); first < schemaColumns; {
		request := csra.TableRange{Authority: a.ca, Table: csra.TableRequests, First: first, Count: schemaPage}
		var table csra.Table
		if err := a.do(ctx, csra.OpEnumViewColumnTable, &request, &table); err != nil {
			return nil, err
		}
		if err := viewError(table.Return); err != nil {
			return nil, err
		}
		if table.Count > schemaPage {
			return nil, unusable(fmt.Errorf("%d columns where %d were asked for", table.Count, schemaPage))
		}
		columns, err := csra.DecodeColumns(table.Data, table.Count)
		if err != nil {
			return nil, unusable(err)
		}
		for _, c := range columns {
			s[strings.ToLower(c.Name)] = c
		}
		if table.Return == csra.EndOfData || table.Count < schemaPage {
			break
		}
		first += table.Count
	}
	return s, nil
}

// viewError is the error of a return value of an enumeration.
func viewError(returned uint32) error {
	if returned == 0 || returned == csra.EndOfData {
		return nil
	}
	return hresultFromWin32(returned)
}

// unusable is the error for what the CA's database cannot have said.
func unusable(err error) error {
	return &AnswerError{0, "the view of the CA's database: " + err.Error()}
}

// view opens a view, gives every row to each, and closes it.
func (a *admin) view(ctx context.Context, restrictions []csra.Restriction, columns []uint32,
	each func(*csra.Row) error) error {
	var page csra.Table
	err := a.do(ctx, csra.OpOpenView, &csra.OpenView{
		Authority: a.ca, Restrictions: restrictions, Columns: columns, First: csra.FirstRow, Count: viewPage,
	}, &page)
	if err != nil {
		return err
	}
	if err := viewError(page.Return); err != nil {
		return err
	}
	err = a.pages(ctx, &page, each)
	// What it answers is of no interest: the rows are there, and the object is released soon.
	closing := a.do(ctx, csra.OpCloseView, &csra.ByName{Authority: a.ca}, new(csra.Result))
	return errors.Join(err, closing)
}

// pages goes through a view, of which the first page is there.
func (a *admin) pages(ctx context.Context, page *csra.Table, each func(*csra.Row) error) error {
	for seen := 0; ; {
		if page.Count > viewPage {
			return unusable(fmt.Errorf("%d rows where %d were asked for", page.Count, viewPage))
		}
		rows, _, end, err := csra.DecodeRows(page.Data, page.Count)
		if err != nil {
			return unusable(err)
		}
		for i := range rows {
			if err := each(&rows[i]); err != nil {
				return err
			}
		}
		seen += len(rows)
		if end || page.Return == csra.EndOfData || len(rows) == 0 {
			return nil
		}
		if seen >= viewLimit {
			return ErrTooManyRows
		}
		*page = csra.Table{}
		next := csra.Range{Authority: a.ca, First: csra.FirstRow + uint32(seen), Count: viewPage}
		if err := a.do(ctx, csra.OpEnumView, &next, page); err != nil {
			return err
		}
		if err := viewError(page.Return); err != nil {
			return err
		}
	}
}
