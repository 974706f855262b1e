package wsproto

import "encoding/json"

// Side is one of the two sides of a connection.
type Side string

// The sides. A method may be for both.
const (
	SideConnector Side = "connector"
	SideTenant    Side = "tenant"
	SideBoth      Side = "both"
)

// MethodInfo describes a method.
type MethodInfo struct {
	Name         string
	From         Side // who calls it
	Notification bool // it has no answer
	Params       any  // the zero value of the params
	Result       any  // the zero value of the result; nil for a notification
}

// Empty is the result of a request that answers nothing but that it was done.
type Empty struct{}

// Methods lists the methods of protocol v1, as PROTOCOL.md does.
func Methods() []MethodInfo {
	return []MethodInfo{
		{MethodHello, SideConnector, false, Hello{}, SignedChallenge{}},
		{MethodAuthenticate, SideConnector, false, Authenticate{}, State{}},
		{MethodReauthenticate, SideTenant, false, SignedChallenge{}, Authenticate{}},
		{MethodDrain, SideBoth, false, Drain{}, Empty{}},
		{MethodApproved, SideTenant, true, State{}, nil},
		{MethodRejected, SideTenant, true, State{}, nil},
		{MethodConfigure, SideTenant, false, Configure{}, Empty{}},
		{MethodStatus, SideConnector, true, Status{}, nil},
		{MethodOffer, SideTenant, false, Offer{}, OfferResult{}},
		{MethodCheckpoint, SideConnector, false, CheckpointParams{}, CheckpointAck{}},
		{MethodFinish, SideConnector, false, FinishParams{}, FinishAck{}},
		{MethodCancel, SideTenant, false, Cancel{}, CancelResult{}},
	}
}

// EncodeHello returns the JSON text of a hello, for [Peer.CallRaw]: [Binding.Hello] needs the exact bytes that were
// sent.
func EncodeHello(h Hello) (json.RawMessage, error) { return encode(h) }

// EncodeChallenge returns the JSON text of a challenge for [SignedChallenge.Challenge] and [Binding.Challenge].
func EncodeChallenge(c Challenge) ([]byte, error) { return encode(c) }
