package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// errNotIssued is an order that came to nothing.
var errNotIssued = errors.New("no certificate was issued")

// order places an order, waits for its outcome, and writes NAME.p12, or NAME.sealed.json if the order names a recipient.
// If it names neither password nor recipient, a password is made and written to NAME.password, where it stays for as long
// as there may be something that it opens.
func (c *client) order(ctx context.Context, file, name string) (err error) {
	var order wsproto.Order
	if err := cli.LoadJSON(file, &order); err != nil {
		return err
	}
	file = name + ".p12"
	if order.Recipient != nil {
		file = name + ".sealed.json"
	}
	if err := vacant(file); err != nil {
		return err
	}
	var placed jobAnswer
	if order.Password == "" && order.Recipient == nil {
		if order.Password, err = newPassword(name + ".password"); err != nil {
			return err
		}
		defer func() {
			if placed.Job == "" || errors.Is(err, errNotIssued) {
				_ = os.Remove(name + ".password") // it opens nothing
			}
		}()
	}
	text, err := wsproto.EncodeOrder(order)
	if err != nil {
		return err
	}
	if err := cli.CanWrite(file); err != nil {
		return err
	}
	if err := c.do(ctx, "POST", "/jobs", text, &placed); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "job %s placed\n", placed.Job)
	return c.fetch(ctx, placed.Job, name)
}

// fetch waits for the outcome of a job, tells how it goes, and writes NAME.p12, or NAME.sealed.json.
func (c *client) fetch(ctx context.Context, id, name string) error {
	job, err := c.await(ctx, id)
	if errors.Is(err, errInterrupted) {
		return fmt.Errorf("interrupted; the job goes on: gateway fetch %s %s %s", c.tenant, id, name)
	}
	if err != nil {
		return err
	}
	o := job.Outcome
	fmt.Fprintf(c.out, "job %s %s\n", job.Job, describe(o))
	if o.Kind != wsproto.Issued {
		return errNotIssued
	}
	if len(o.Sealed) > 0 {
		return keep(name+".sealed.json", o.Sealed)
	}
	return keep(name+".p12", o.PKCS12)
}

// await waits until a job is done, and tells how it goes.
func (c *client) await(ctx context.Context, id string) (*jobAnswer, error) {
	path := "/jobs/" + url.PathEscape(id)
	var job jobAnswer
	if err := c.do(ctx, "GET", path, nil, &job); err != nil {
		return nil, err
	}
	for said := ""; job.State != gateway.JobDone; {
		if line := progress(&job); line != said {
			said = line
			fmt.Fprintln(c.out, line)
		}
		job = jobAnswer{}
		if err := c.do(ctx, "GET", path+"?wait=2s", nil, &job); err != nil {
			return nil, err
		}
	}
	return &job, nil
}

// progress is one line about a job that is not done.
func progress(job *jobAnswer) string {
	line := fmt.Sprintf("job %s %s", job.Job, job.State)
	if job.Outcome != nil {
		line += ": " + describe(job.Outcome)
	}
	if job.Waiting != "" {
		line += ": " + job.Waiting
	}
	if job.Refusal != "" {
		line += ": last refusal: " + job.Refusal
	}
	return line
}

// describe is an outcome for people, without what is empty.
func describe(o *wsproto.Outcome) string {
	line := string(o.Kind)
	if o.Reason != "" {
		line += " " + string(o.Reason)
	}
	if o.RequestID != 0 {
		line += fmt.Sprintf(" request=%d", o.RequestID)
	}
	if o.Serial != "" {
		line += " serial=" + o.Serial
	}
	return line + fmt.Sprintf(" %q", o.Message)
}
