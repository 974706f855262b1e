package adcs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// tap is a network between client and server on which a test changes what passes.
type tap struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// sent sees each PDU before it is written. It returns how many of its bytes pass; fewer than all of them close the
	// connection, and so does after.
	sent func(p *rpc.PDU) (pass int, after bool)
	// got may change the bytes of each PDU that the server sends, and say that nothing comes after it.
	got func(raw []byte) (end bool)

	mu    sync.Mutex
	dials int
}

func (n *tap) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	return &tappedConn{Conn: nc, tap: n}, nil
}

type tappedConn struct {
	net.Conn
	tap *tap
	in  bytes.Buffer
	end bool
}

func (c *tappedConn) Write(b []byte) (int, error) {
	p, err := rpc.ParsePDU(b)
	if err != nil || c.tap.sent == nil {
		return c.Conn.Write(b)
	}
	pass, after := c.tap.sent(p)
	n, err := c.Conn.Write(b[:pass])
	if pass < len(b) || after {
		c.Conn.Close()
	}
	if pass < len(b) && err == nil {
		err = errors.New("connection was cut")
	}
	return n, err
}

func (c *tappedConn) Read(b []byte) (int, error) {
	if c.tap.got == nil {
		return c.Conn.Read(b)
	}
	if c.in.Len() == 0 {
		if c.end {
			return 0, io.EOF
		}
		p, err := rpc.ReadPDU(c.Conn, 1<<16)
		if err != nil {
			return 0, err
		}
		c.end = c.tap.got(p.Raw)
		c.in.Write(p.Raw)
	}
	return c.in.Read(b)
}

// bigCSR is a certification request of about so many bytes.
func bigCSR(t testing.TB, size int) []byte {
	t.Helper()
	key, _ := newCSR(t, "www.corp.test")
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "www.corp.test"},
		ExtraExtensions: []pkix.Extension{{
			Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: bytes.Repeat([]byte{5, 0}, size/2),
		}},
	}, key)
	require.NoError(t, err)
	return csr
}

// isLast reports whether a PDU is the last fragment of a call to the CA, which is protected.
func isLast(p *rpc.PDU) bool {
	return p.Type == rpc.TypeRequest && p.Flags&rpc.FlagLast != 0 && p.AuthLength > 0
}

func TestCutConnection(t *testing.T) {
	for name, c := range map[string]struct {
		cut     func(p *rpc.PDU) (pass int, after bool)
		unknown bool
	}{
		"before the last fragment":        {func(*rpc.PDU) (int, bool) { return 0, true }, false},
		"after one byte of the last":      {func(*rpc.PDU) (int, bool) { return 1, true }, true},
		"before the end of the last":      {func(p *rpc.PDU) (int, bool) { return len(p.Raw) - 1, true }, true},
		"after the last fragment":         {func(p *rpc.PDU) (int, bool) { return len(p.Raw), true }, true},
		"before the last, each time":      {func(*rpc.PDU) (int, bool) { return 0, true }, false},
		"in the last fragment, each time": {func(p *rpc.PDU) (int, bool) { return len(p.Raw) / 2, true }, true},
	} {
		for _, size := range []int{10, 20_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				s := newServer(t, nil)
				always := bytes.HasSuffix([]byte(name), []byte("each time"))
				cuts := 0
				n := &tap{dial: s.DialContext, sent: func(p *rpc.PDU) (int, bool) {
					if isLast(p) && (cuts == 0 || always) {
						cuts++
						return c.cut(p)
					}
					return len(p.Raw), false
				}}
				client := newClient(t, s, &adcs.Options{DialContext: n.DialContext})
				began := time.Now()
				r, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "WebServer"})
				switch {
				case c.unknown:
					require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
					unknown, ok := errors.AsType[*adcs.OutcomeUnknownError](err)
					require.True(t, ok)
					assert.Equal(t, s.Name(), unknown.CA)
					assert.WithinDuration(t, began, unknown.Time, time.Minute)
					assert.NotZero(t, unknown.PublicKeyHash)
					assert.Equal(t, 1, cuts, "it was sent again")
				case always:
					require.Error(t, err)
					assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
					assert.Equal(t, 2, cuts, "it is tried twice and no more")
					assert.Empty(t, s.Requests())
				default:
					require.NoError(t, err)
					assert.Equal(t, adcs.Issued, r.Disposition)
				}
				s.Close() // whatever it was doing is in the table now
				assert.LessOrEqual(t, len(s.Requests()), 1)
			})
		}
	}
}

// TestCutAnywhere cuts after each PDU of a whole submission and each time counts the rows.
func TestCutAnywhere(t *testing.T) {
	for _, auth := range auths() {
		for at := 0; ; at++ {
			s := newServer(t, nil)
			i, sentLast := 0, false
			n := &tap{dial: s.DialContext, sent: func(p *rpc.PDU) (int, bool) {
				i++
				sentLast = sentLast || isLast(p)
				return len(p.Raw), i-1 == at
			}}
			client := newClient(t, s, &adcs.Options{DialContext: n.DialContext, Auth: auth})
			_, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 15_000), Template: "WebServer"})
			s.Close()
			rows := len(s.Requests())
			if i <= at {
				require.NoError(t, err)
				assert.Equal(t, 1, rows)
				require.Greater(t, at, 5, "there were too few PDUs for a test")
				break
			}
			assert.LessOrEqual(t, rows, 1, "cut after PDU %d", at)
			switch {
			case err == nil:
				assert.Equal(t, 1, rows, "cut after PDU %d", at)
			case errors.Is(err, adcs.ErrOutcomeUnknown):
				assert.True(t, sentLast, "cut after PDU %d: the outcome is known, nothing was executed", at)
			default:
				assert.Zero(t, rows, "cut after PDU %d: %v", at, err)
			}
		}
	}
}

// flipBit flips a bit of a PDU and reports whether the PDU now says that it is longer: the rest will never come, and
// waiting for the time-out would make the tests slow.
func flipBit(raw []byte, bit int) (longer bool) {
	raw[bit/8] ^= 1 << (bit % 8)
	return int(raw[8])|int(raw[9])<<8 > len(raw)
}

// flips reports whether TestFlippedAnswers flips a bit of a fragment of so many bytes. It is one of each byte of the
// header, the security trailer and the signature, and one of each 32nd byte of what is encrypted; with ADCSKIT_LONG set,
// it is every bit of the former and one of each byte of the latter.
func flips(bit, size int) bool {
	at, long := bit/8, os.Getenv("ADCSKIT_LONG") != ""
	rotating := bit%8 == (at+at/8)%8
	switch encrypted := at >= 24 && at < size-24; {
	case long:
		return !encrypted || rotating
	case encrypted:
		return at%32 == 0 && bit%8 == at/32%8
	}
	return rotating
}

// TestFlippedAnswers flips bits in every field and every fragment of answers on the wire. None is accepted.
func TestFlippedAnswers(t *testing.T) {
	t.Parallel()
	for _, auth := range auths() {
		for _, unsigned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, header signing %v", auth, !unsigned), func(t *testing.T) {
				s := newServer(t, &adcstest.Options{Wire: adcstest.Wire{
					NoHeaderSigning: unsigned, MaxFragment: rpc.MinFragment,
				}})
				flip, pdu := -1, 0 // the bit to flip, in the PDUs that follow each other
				var sizes []int
				longer := false
				n := &tap{dial: s.DialContext, got: func(raw []byte) bool {
					if rpc.PacketType(raw[2]) != rpc.TypeResponse || raw[10] == 0 {
						return false
					}
					if flip < 0 {
						sizes = append(sizes, len(raw))
					}
					last := rpc.Flags(raw[3])&rpc.FlagLast != 0
					if bit := flip - pdu; flip >= pdu && bit < len(raw)*8 {
						longer = flipBit(raw, bit)
					}
					pdu += len(raw) * 8
					return last && longer
				}}
				client := newClient(t, s, &adcs.Options{DialContext: n.DialContext, Auth: auth, Timeout: 5 * time.Second})
				_, csr := newCSR(t, "www.corp.test")
				issued, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
				require.NoError(t, err)
				require.Greater(t, len(sizes), 1, "the answer has one fragment only")

				start := 0
				for _, size := range sizes {
					for bit := range size * 8 {
						if !flips(bit, size) {
							continue
						}
						flip, pdu, longer = start+bit, 0, false
						_, err := client.Retrieve(t.Context(), issued.RequestID)
						if err == nil {
							t.Fatalf("bit %d of byte %d of a fragment of %d bytes was accepted", bit%8, bit/8, size)
						}
						_, refused := errors.AsType[*adcs.RequestError](err)
						assert.False(t, refused, "taken for a refusal: %v", err)
					}
					start += size * 8
				}
				flip, longer = 1<<40, false
				_, err = client.Retrieve(t.Context(), issued.RequestID)
				require.NoError(t, err)

				for bit := 0; bit < 24*8; bit += 7 { // a submission with a changed answer is not repeated
					flip, longer = 1<<40, false
					require.NoError(t, client.Ping(t.Context()))
					flip, pdu = bit, 0
					rows := len(s.Requests())
					_, csr := newCSR(t, "www.corp.test")
					_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
					require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
					require.Len(t, s.Requests(), rows+1)
				}
			})
		}
	}
}

// TestFlippedSetup flips bits in what comes before there is a key: the call fails or works, and never hangs or panics.
func TestFlippedSetup(t *testing.T) {
	t.Parallel()
	for _, auth := range auths() {
		s := newServer(t, nil)
		flip, pdu := 0, 0
		n := &tap{dial: s.DialContext, got: func(raw []byte) (end bool) {
			if bit := flip - pdu; bit >= 0 && bit < len(raw)*8 {
				end = flipBit(raw, bit)
			}
			pdu += len(raw) * 8
			return end
		}}
		good, total := 0, 0
		for ; flip <= pdu; flip += 3 {
			total, pdu = total+1, 0
			client := newClient(t, s, &adcs.Options{DialContext: n.DialContext, Auth: auth})
			if client.Ping(t.Context()) == nil {
				good++
			}
			require.NoError(t, client.Close())
		}
		assert.Greater(t, total, 500)
		assert.Less(t, good, total/2, "most of the bits mean something")
	}
}
