package adcs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// rewriter is a network on which a test rearranges the fragments of the CA's answers.
type rewriter struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu sync.Mutex
	// rewrite gets the fragments of an answer and returns what arrives. After a change the connection ends.
	rewrite func(answer [][]byte) [][]byte
	seen    [][]byte // the answer before, as the CA sent it
}

func (n *rewriter) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := n.dial(ctx, network, addr)
	return &rewritten{Conn: nc, network: n}, err
}

type rewritten struct {
	net.Conn
	network *rewriter
	answer  [][]byte
	out     bytes.Buffer
	end     bool
}

func (c *rewritten) Read(b []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.end {
			return 0, io.EOF
		}
		p, err := rpc.ReadPDU(c.Conn, 1<<16)
		if err != nil {
			return 0, err
		}
		c.take(p)
	}
	return c.out.Read(b)
}

// take passes on what is no protected answer, and collects what is one.
func (c *rewritten) take(p *rpc.PDU) {
	if p.Type != rpc.TypeResponse || p.AuthLength == 0 {
		c.out.Write(p.Raw)
		return
	}
	if c.answer = append(c.answer, p.Raw); p.Flags&rpc.FlagLast == 0 {
		return
	}
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	out := c.answer
	if n.rewrite != nil {
		clones := make([][]byte, len(out))
		for i := range out {
			clones[i] = bytes.Clone(out[i])
		}
		out, c.end = n.rewrite(clones), true
	}
	n.seen = c.answer
	c.answer = nil
	for _, raw := range out {
		c.out.Write(raw)
	}
}

func (n *rewriter) set(f func(answer [][]byte) [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rewrite = f
}

// inCall gives PDUs the number of the call of another one.
func inCall(list [][]byte, of []byte) [][]byte {
	out := make([][]byte, len(list))
	for i, raw := range list {
		out[i] = bytes.Clone(raw)
		copy(out[i][12:16], of[12:16])
	}
	return out
}

// TestRearrangedAnswers has somebody on the path who changes no byte of what is signed, and puts whole fragments
// elsewhere: none of it is taken for the answer, and nothing is sent again.
func TestRearrangedAnswers(t *testing.T) {
	flag := func(raw []byte, f rpc.Flags) []byte { raw[3] |= byte(f); return raw }
	for _, auth := range auths() {
		wire := adcstest.Wire{MaxFragment: rpc.MinFragment}
		s := newServer(t, &adcstest.Options{Wire: wire})
		n := &rewriter{dial: s.DialContext}
		client := newClient(t, s, &adcs.Options{DialContext: n.DialContext, Auth: auth})
		submit := func() error {
			_, csr := newCSR(t, "www.corp.test")
			return second(client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"}))
		}
		elsewhere := &rewriter{dial: s.DialContext} // another connection, whose second call has the same number
		other := newClient(t, s, &adcs.Options{DialContext: elsewhere.DialContext, Auth: auth})
		for range 2 {
			_, csr := newCSR(t, "www.corp.test")
			require.NoError(t, second(other.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})))
		}
		for name, rewrite := range map[string]func(a [][]byte) [][]byte{
			"the first fragment twice":            func(a [][]byte) [][]byte { return append([][]byte{a[0]}, a...) },
			"the first fragment missing":          func(a [][]byte) [][]byte { return a[1:] },
			"the last fragment missing":           func(a [][]byte) [][]byte { return a[:len(a)-1] },
			"the last fragment in front":          func(a [][]byte) [][]byte { return append(a[len(a)-1:], a[:len(a)-1]...) },
			"the last fragment only":              func(a [][]byte) [][]byte { return a[len(a)-1:] },
			"the last fragment only, as a whole":  func(a [][]byte) [][]byte { return [][]byte{flag(a[len(a)-1], rpc.FlagFirst)} },
			"ended after the first fragment":      func(a [][]byte) [][]byte { return [][]byte{flag(a[0], rpc.FlagLast)} },
			"the answer before":                   func([][]byte) [][]byte { return n.seen },
			"the answer before, with this number": func(a [][]byte) [][]byte { return inCall(n.seen, a[0]) },
			"the end of the answer before": func(a [][]byte) [][]byte {
				return append(a[:len(a)-1], inCall(n.seen[len(n.seen)-1:], a[0])...)
			},
			"the answer of another connection": func(a [][]byte) [][]byte { return inCall(elsewhere.seen, a[0]) },
			"the end of another connection's": func(a [][]byte) [][]byte {
				return append(a[:len(a)-1], inCall(elsewhere.seen[len(elsewhere.seen)-1:], a[0])...)
			},
			"the last fragment shortened": func(a [][]byte) [][]byte {
				last := a[len(a)-1]
				last = slices.Delete(last, 24, 40) // from the stub
				binary.LittleEndian.PutUint16(last[8:], uint16(len(last)))
				return append(a[:len(a)-1], last)
			},
			"the signatures taken off": func(a [][]byte) [][]byte {
				for i, raw := range a {
					a[i] = raw[:len(raw)-24]
					binary.LittleEndian.PutUint16(a[i][8:], uint16(len(a[i])))
					binary.LittleEndian.PutUint16(a[i][10:], 0)
				}
				return a
			},
		} {
			t.Run(name+", "+string(auth), func(t *testing.T) {
				n.set(nil)
				require.NoError(t, submit())
				require.Greater(t, len(n.seen), 1, "the answer has one fragment only")
				n.set(rewrite)
				rows := len(s.Requests())
				require.ErrorIs(t, submit(), adcs.ErrOutcomeUnknown)
				assert.Len(t, s.Requests(), rows+1)
			})
		}
	}
}
