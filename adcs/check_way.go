package adcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/smbpipe"
)

// checker makes the steps of one check.
type checker struct {
	*Client
	opts   CheckOptions
	report *Report
	named  error // what the CA said to the name it was addressed by; nil if it took it
}

func (k *checker) run(ctx context.Context) {
	err := k.reach(ctx)
	k.about(ctx, err)
}

// reach climbs the ladder step by step, with the client's one right to try its credential.
func (k *checker) reach(ctx context.Context) error {
	ctx, leave, err := k.pool.enter(ctx, k.Client.opts.Timeout)
	if err != nil {
		k.way(k.ladder.rungs[0], err)
		return err
	}
	defer leave()
	if err = k.pool.acquire(ctx); err != nil {
		k.way(k.ladder.rungs[0], err)
		return err
	}
	defer k.pool.release()
	trial, err := k.logon.try(ctx)
	if err != nil {
		k.way(k.ladder.rungs[0], err)
		return err
	}
	err = k.climb(ctx)
	if err == nil {
		trial.accepted()
	}
	trial.end(err)
	return err
}

// climb tries the rungs until one leads to the CA.
func (k *checker) climb(ctx context.Context) (err error) {
	rungs := k.ladder.rungs
	for i, r := range rungs {
		var s session
		s, err = k.ladder.step(ctx, len(rungs)-i, r, k.ask)
		k.way(r, err)
		if err == nil {
			s.Close()
			k.report.Transport = r.transport()
			k.bypass()
			return nil
		}
		if ends(ctx, err) {
			break
		}
	}
	return err
}

// bypass marks what failed on the way that was found as nobody's concern.
func (k *checker) bypass() {
	for i := range k.report.Steps {
		k.report.Steps[i].Bypassed = k.report.Steps[i].Status == CheckFailed
	}
}

// ask makes the harmless call, and notes what the CA says to its name.
func (k *checker) ask(ctx context.Context, s session) error {
	a, err := s.request(ctx, &certServerRequest{flags: flagsRetrieve, authority: k.ca, requestID: pingID})
	if err != nil {
		return mapError(PhaseCall, err)
	}
	if err := switchedOff(a); err != nil {
		return err
	}
	_, err = parseAnswer(a, pingID)
	refused, ok := errors.AsType[*RequestError](err)
	switch {
	case err != nil && !ok:
		return err
	case errors.Is(err, ErrInvalidArg):
		k.named = refused
	}
	return nil
}

// waySteps are the steps to the CA's answer, in their order. The endpoint mapper tells anybody about ICertPassage;
// whether there is a pipe or an object is told to those who have logged on.
func waySteps(t Transport) []CheckName {
	if t == TransportTCP {
		return []CheckName{CheckHost, CheckPort, CheckInterface, CheckClock, CheckLogon, CheckPrivacy, CheckAnswer}
	}
	return []CheckName{CheckHost, CheckPort, CheckClock, CheckLogon, CheckInterface, CheckPrivacy, CheckAnswer}
}

// way notes the steps of a rung: those before the one that an error belongs to have passed, those after it were not
// reached.
func (k *checker) way(r rung, err error) {
	steps := waySteps(r.transport())
	failed := len(steps)
	if err != nil {
		failed = slices.Index(steps, stepOf(err))
	}
	for i, name := range steps {
		step := CheckStep{Name: name, Transport: r.transport(), Status: CheckPassed}
		switch {
		case i < failed && name == CheckClock && k.Client.opts.Auth == AuthNTLM:
			step.skip("NTLM compares no clocks")
		case i < failed:
			step.Detail = k.passed(name, r)
		case i == failed:
			step.fail(err)
			k.advise(&step, r)
		default:
			step.skip(fmt.Sprintf("not reached: step %q failed", steps[failed]))
		}
		k.report.Steps = append(k.report.Steps, step)
	}
}

func (s *CheckStep) fail(err error) {
	e := Explain(err)
	s.Status, s.Err, s.Summary, s.Remedy = CheckFailed, err, e.Summary, e.Remedy
}

func (s *CheckStep) skip(why string) { s.Status, s.Detail = CheckSkipped, why }

// passed says what was found.
func (k *checker) passed(name CheckName, r rung) string {
	host, _, _ := net.SplitHostPort(k.Client.opts.EndpointMapper)
	switch name {
	case CheckHost:
		return "reached at " + host
	case CheckPort:
		return portOf(r, k.Client.opts.EndpointMapper)
	case CheckInterface:
		return "the CA serves requests by " + r.transport().long()
	case CheckClock:
		return "no difference that the logon minds"
	case CheckLogon:
		return fmt.Sprintf("%s, authentication %s", k.cred.who(), k.Client.opts.Auth)
	case CheckPrivacy:
		return "calls are signed and encrypted"
	}
	return "the CA answers"
}

// portOf says which ports a rung needs.
func portOf(r rung, mapper string) string {
	switch r := r.(type) {
	case *tcpRung:
		if port := r.endpoint.get(); port != 0 {
			return fmt.Sprintf("endpoint mapper at %s, CA at port %d", mapper, port)
		}
	case *npRung:
		return fmt.Sprintf("port %d", portSMB)
	}
	return "endpoint mapper at " + mapper
}

// advise adds to the remedy of a step what only a check knows.
func (k *checker) advise(s *CheckStep, r rung) {
	switch s.Name {
	case CheckPort:
		if r.transport() == TransportNamedPipe {
			s.Remedy = remedyPipe
		}
	case CheckClock:
		if e, ok := errors.AsType[*krb5.Error](s.Err); ok && e.Skew != 0 {
			s.Detail = describeSkew(e.Skew)
		}
	case CheckInterface:
		if others := otherWays(r.transport(), k.ladder); others != "" {
			s.Remedy += " Or use another transport: " + others + "."
		}
	}
}

// otherWays are the transports that the client was not told to try.
func otherWays(failed Transport, l *ladder) string {
	if len(l.rungs) > 1 {
		return "" // they are tried
	}
	var all []string
	for _, t := range []struct {
		Transport
		needs string
	}{
		{TransportTCP, "ports 135 and 49152 to 65535"}, {TransportNamedPipe, "port 445"},
		{TransportDCOM, "ports 135 and 49152 to 65535, and DCOM allowed"},
	} {
		if t.Transport != failed {
			all = append(all, fmt.Sprintf("%s (%s)", t.Transport, t.needs))
		}
	}
	return strings.Join(all, ", ")
}

func describeSkew(skew time.Duration) string {
	if skew < 0 {
		return fmt.Sprintf("the other clock is %v behind this host's", (-skew).Round(time.Second))
	}
	return fmt.Sprintf("the other clock is %v ahead of this host's", skew.Round(time.Second))
}

// stepOf tells which step an error belongs to.
func stepOf(err error) CheckName {
	var kerberos *kerberosFailure
	var dns *net.DNSError
	var phase *phaseError
	var rpcError *RPCError
	var connecting *dialError
	switch {
	case errors.Is(err, ErrClockSkew), errors.Is(err, ErrPipeClockSkew):
		return CheckClock
	case errors.Is(err, ErrLogon), errors.As(err, &kerberos), errors.Is(err, ErrNTLMBlocked):
		return CheckLogon
	case errors.As(err, &dns):
		return CheckHost
	case errors.As(err, &connecting), errors.Is(err, smbpipe.ErrMalformed), errors.As(err, &rpcError) && rpcError.Phase == PhaseMap && !isNotServed(err):
		return CheckPort
	case errors.Is(err, ErrUnsupportedAuthnLevel), errors.Is(err, ErrUnknownAuthnLevel):
		return CheckPrivacy
	case isNotServed(err):
		return CheckInterface
	case errors.As(err, &rpcError) && rpcError.Phase == PhaseActivate && !errors.Is(err, ErrAccessDenied):
		return CheckInterface
	case errors.As(err, &rpcError) && (rpcError.Phase == PhasePipe || rpcError.Phase == PhaseBind):
		return CheckLogon
	case errors.As(err, &phase):
		return stepOfPhase(phase.Phase)
	}
	return CheckAnswer
}

// stepOfPhase is for connections that end, or are silent, in a phase.
func stepOfPhase(p Phase) CheckName {
	switch p {
	case PhaseMap, PhaseActivate:
		return CheckPort
	case PhasePipe, PhaseBind:
		return CheckLogon
	}
	return CheckAnswer
}

// isNotServed reports whether an error says that there is no CA at this end of this transport.
func isNotServed(err error) bool {
	for _, target := range []error{
		ErrNotRegistered, ErrUnknownInterface, ErrRPCServerUnavailable, ErrNoPipe, ErrPipeBusy, ContextInterfaceUnknown,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
