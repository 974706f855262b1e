package krb5

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Limits of an exchange with KDCs.
const (
	maxKDCs    = 6                // that are asked for one message
	maxPerKDC  = 5 * time.Second  // for one of them
	maxLookUp  = 15 * time.Second // for the DNS, of which the second server is asked after five
	maxMessage = 256 << 10        // of a KDC, in bytes; tickets of Windows have at most 64 KiB
)

// network sends messages to the KDCs of realms, by TCP.
type network struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	lookup func(ctx context.Context, realm string) ([]string, error)
}

// LookUpKDCs asks the DNS for the KDCs of a realm (RFC 4120 section 7.2.3.2).
func LookUpKDCs(ctx context.Context, r *net.Resolver, realm string) ([]string, error) {
	_, records, err := r.LookupSRV(ctx, "kerberos", "tcp", realm)
	if len(records) == 0 && err != nil {
		return nil, err
	}
	var addrs []string
	for _, r := range records {
		if host := strings.TrimSuffix(r.Target, "."); host != "" {
			addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
		}
	}
	return addrs, nil
}

// kdcs are the addresses of the KDCs of a realm: those of the configuration, or else those of the DNS.
func (n *network) kdcs(ctx context.Context, cfg *Config, realm string) ([]string, error) {
	if addrs := cfg.kdcs[realm]; len(addrs) > 0 {
		return addrs, nil
	}
	if cfg.noDNS {
		return nil, fail(ReasonRealm, "krb5.conf names no KDC of realm %q, and forbids to ask the DNS", printable(realm))
	}
	ctx, cancel := share(ctx, maxLookUp, 1)
	defer cancel()
	addrs, err := n.lookup(ctx, realm)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound || err == nil && len(addrs) == 0 {
		return nil, fail(ReasonRealm, "realm %q: krb5.conf names no KDC of it, and the DNS has no _kerberos._tcp record",
			printable(realm))
	}
	if err != nil {
		return nil, &Error{Reason: ReasonNoKDC, Detail: fmt.Sprintf("asking the DNS for those of realm %q", printable(realm)),
			Err: ended(ctx, err)}
	}
	return addrs, nil
}

// exchange sends a message to a KDC of a realm and returns the answer, which is not empty. It asks one KDC after the
// other until one answers.
func (n *network) exchange(ctx context.Context, cfg *Config, realm string, message []byte) ([]byte, error) {
	addrs, err := n.kdcs(ctx, cfg, realm)
	if err != nil {
		return nil, err
	}
	addrs = addrs[:min(len(addrs), maxKDCs)]
	var failed []error
	for i, addr := range addrs {
		answer, err := n.ask(ctx, len(addrs)-i, addr, message)
		if err == nil {
			err = rpc.Guard(func() error { return unavailable(answer) })
		}
		if err == nil {
			return answer, nil
		}
		failed = append(failed, fmt.Errorf("KDC %s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, &Error{Reason: ReasonNoKDC, Detail: fmt.Sprintf("realm %q", printable(realm)), Err: errors.Join(failed...)}
}

// unavailable is the error of an answer by which a KDC says that it cannot work now, as domain controllers do that have
// just started. It has looked at nothing then, so that another one may be asked.
func unavailable(answer []byte) error {
	if answer[0] != krbErrorTag {
		return nil
	}
	e, err := parseError(answer)
	if err == nil && e.ErrorCode == errorcode.KDC_ERR_SVC_UNAVAILABLE {
		return errors.New(errorcode.Lookup(e.ErrorCode))
	}
	return nil // who asked looks at it
}

// errKDCSlow is the cause of an exchange that took too long.
var errKDCSlow = errors.New("no answer in time")

// share bounds a context to a limit, and to its part of the time that is left. There is one part more than there are
// steps: when the last one has failed, time is left to say so, or for another mechanism.
func share(ctx context.Context, limit time.Duration, steps int) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/time.Duration(steps+1))
	}
	return context.WithTimeoutCause(ctx, limit, errKDCSlow)
}

// ask sends a message to one KDC, with its share of the time that is left.
func (n *network) ask(ctx context.Context, left int, addr string, message []byte) ([]byte, error) {
	ctx, cancel := share(ctx, maxPerKDC, left)
	defer cancel()
	nc, err := n.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, ended(ctx, err)
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() }) // connections exist that know no deadlines
	defer stop()
	answer, err := talk(nc, message)
	return answer, ended(ctx, err)
}

// ended puts the end of a context in the place of the error that it caused.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if why := context.Cause(ctx); errors.Is(why, ctx.Err()) || errors.Is(why, net.ErrClosed) {
		return why
	}
	return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// talk sends a message and reads the answer, each with its length in front (RFC 4120 section 7.2.2).
func talk(nc net.Conn, message []byte) ([]byte, error) {
	if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxMessage {
		return nil, malformed("answer of %d bytes", size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(nc, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// override makes an address the only KDC of a realm.
func (c *Config) override(realm, addr string) *Config {
	other := *c
	other.kdcs = map[string][]string{realm: {addr}}
	for r, addrs := range c.kdcs {
		if r != realm {
			other.kdcs[r] = slices.Clone(addrs)
		}
	}
	return &other
}
