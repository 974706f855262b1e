package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// console is the manager at standard input, and who makes calls go wrong. It prints whole lines, one at a time.
type console struct {
	ca     *adcstest.Server // set before the first command
	caFile string           // where the roots are

	mu      sync.Mutex // of all below
	out     io.Writer
	resumed chan struct{} // closed by resume; nil while answers go out at once
	waiting int           // answers that wait
	lose    int           // answers to come that get lost
}

const consoleUsage = "usage: list | approve ID | deny ID | revoke ID [REASON] | release ID | publish [FILE] | " +
	"renew [new-key] | pause | resume | lose"

// say prints what is one line, or several that belong together.
func (c *console) say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, text)
}

// serve reads commands until its input ends.
func (c *console) serve(in io.Reader) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			c.say(c.command(line))
		}
	}
}

// command does one command and returns what to print.
func (c *console) command(line string) string {
	switch line {
	case "list":
		return list(c.ca.Requests())
	case "pause", "resume", "lose":
		return c.disturb(line)
	}
	words := strings.Fields(line)
	do, known := map[string]func(args []string) (string, error){
		"approve": c.decide(c.ca.Approve), "deny": c.decide(c.ca.Deny), "revoke": c.revoke, "release": c.release,
		"publish": c.publish, "renew": c.renew,
	}[words[0]]
	if !known {
		return consoleUsage
	}
	done, err := do(words[1:])
	switch {
	case errors.Is(err, errUsage):
		return consoleUsage
	case err != nil:
		return "error: " + err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("done %s %s", words[0], done))
}

// disturb changes what happens to the answers of the CA.
func (c *console) disturb(verb string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case verb == "lose":
		c.lose++
	case verb == "pause" && c.resumed == nil:
		c.resumed = make(chan struct{})
	case verb == "resume" && c.resumed != nil:
		close(c.resumed)
		c.resumed = nil
	}
	return "done " + verb
}

// fault is asked about every call. The CA does its work in any case: it is the answer that waits or gets lost.
func (c *console) fault(call adcstest.Call) *adcstest.Fault {
	if !strings.HasPrefix(call.Interface, "ICert") { // finding the CA and its objects goes on
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := &adcstest.Fault{After: c.wait}
	if c.lose > 0 {
		c.lose--
		f.Cut = adcstest.CutBeforeAnswer
	}
	return f
}

// wait holds an answer back while the console says so, and prints how many wait.
func (c *console) wait(ctx context.Context) {
	c.mu.Lock()
	resumed := c.resumed
	if resumed != nil {
		c.waiting++
		fmt.Fprintf(c.out, "waiting %d\n", c.waiting)
	}
	c.mu.Unlock()
	if resumed == nil {
		return
	}
	select {
	case <-resumed:
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.waiting--
	c.mu.Unlock()
}

// list prints one request a line, and their number at last.
func list(requests []adcstest.RequestInfo) string {
	var b strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&b, "request %d disposition=%d requester=%s template=%q subject=%q serial=%s\n",
			r.ID, r.Disposition, r.Requester, r.Template, r.Subject, r.Serial)
	}
	return b.String() + fmt.Sprintf("total %d", len(requests))
}
