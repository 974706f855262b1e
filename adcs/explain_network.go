package adcs

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// remedyPipe is what to do if there is no connection to the port of named pipes.
const remedyPipe = "Check that the host is up, that its service LanmanServer (Server) runs, and that a firewall lets " +
	"port 445 through."

// explainNetwork explains what the operating system said about a connection. For a named pipe it is another port that
// matters than for the rest.
func explainNetwork(err error) (Explanation, bool) {
	e, ok := explainConnection(err)
	phase, in := errors.AsType[*phaseError](err)
	_, connecting := errors.AsType[*dialError](err)
	_, name := errors.AsType[*net.DNSError](err)
	if ok && in && phase.Phase == PhasePipe && connecting && !name {
		e.Remedy = remedyPipe
	}
	return e, ok
}

func explainConnection(err error) (Explanation, bool) {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return explainDNS(e), true
	}
	if errors.Is(err, net.ErrClosed) {
		return Explanation{
			Summary: "The client, or its connection, was closed here.",
			Remedy:  "Nothing needs to be changed; try again with a new client if the certificate is still wanted.",
			Retry:   RetryAfter,
		}, true
	}
	for _, n := range networkErrors {
		for _, target := range n.errors {
			if errors.Is(err, target) {
				return n.Explanation, true
			}
		}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return timedOut, true
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return Explanation{
			Summary: "The connection to the CA's host failed.",
			Remedy:  "Check the network between here and the CA: port 135 and its RPC port (49152 to 65535 by default).",
			Retry:   RetryAfter,
		}, true
	}
	return Explanation{}, false
}

func explainDNS(e *net.DNSError) Explanation {
	if e.IsNotFound {
		return Explanation{
			Summary: "The name of the CA's host is not known to DNS.",
			Remedy:  "Check the host's name and that this host asks a DNS server of the domain.",
			Retry:   RetryOperator,
		}
	}
	return Explanation{
		Summary: "The name of the CA's host could not be looked up.",
		Remedy:  "Check the DNS servers of this host.",
		Retry:   RetryAfter,
	}
}

var timedOut = Explanation{
	Summary: "The CA's host does not answer.",
	Remedy: "Check that the host is up, and that a firewall lets port 135 and the CA's RPC port (49152 to 65535 by default) " +
		"through.",
	Retry: RetryAfter,
}

// Windows reports these in numbers of Winsock, which differ from the names that the syscall package defines there. No
// other system uses numbers that high.
const (
	wsaECONNABORTED = syscall.Errno(10053)
	wsaECONNRESET   = syscall.Errno(10054)
	wsaETIMEDOUT    = syscall.Errno(10060)
	wsaECONNREFUSED = syscall.Errno(10061)
	wsaENETUNREACH  = syscall.Errno(10051)
	wsaEHOSTUNREACH = syscall.Errno(10065)
)

// networkErrors is never written to.
var networkErrors = []struct {
	errors []error
	Explanation
}{
	{[]error{syscall.ECONNREFUSED, wsaECONNREFUSED}, Explanation{
		Summary: "The CA's host refuses connections.",
		Remedy: "Check host and port, that the services RpcEptMapper and certsvc run on the CA, and that a firewall does not " +
			"reject port 135 or the CA's RPC port (49152 to 65535 by default).",
		Retry: RetryAfter,
	}},
	{[]error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, wsaEHOSTUNREACH, wsaENETUNREACH}, Explanation{
		Summary: "There is no way to the CA's host.",
		Remedy:  "Check routes and firewalls between here and the CA, and whether its host is up.",
		Retry:   RetryAfter,
	}},
	{[]error{syscall.ETIMEDOUT, wsaETIMEDOUT, os.ErrDeadlineExceeded}, timedOut},
	{[]error{
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, wsaECONNRESET, wsaECONNABORTED, io.EOF, io.ErrUnexpectedEOF,
	}, Explanation{
		Summary: "The CA's host closed the connection.",
		Remedy: "Try again; if it stays, look into the event log of the CA's host, and check that nothing in between cuts " +
			"connections.",
		Retry: RetryAfter,
	}},
}
