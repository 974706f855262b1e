// Package kdctest is a small KDC in the process of a test, with a clock of its own: passwords, services and other
// realms that it refers to. It does what clients need to be tried with, and is no check of clients by itself: a real
// KDC is (package adtest).
package kdctest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// KDC is the KDC of one realm. Its fields may be set before it is dialled.
type KDC struct {
	Realm    string
	Now      func() time.Time
	Lifetime time.Duration // of tickets
	// Iterations are those of the passwords' keys for AES, where the KDC names them; 0 does not.
	Iterations uint32
	// NoPreauth answers without a proof of the password.
	NoPreauth bool
	// Refuse is the code of the error that every AS-REQ with a proof gets, if it is not 0, and RefuseService that of every
	// TGS-REQ.
	Refuse, RefuseService int32
	// Tamper changes an answer; nil leaves it.
	Tamper func(answer []byte) []byte

	mu       sync.Mutex
	keys     *keytab.Keytab
	users    map[string]string // passwords
	services map[string]bool
	refer    map[string]string // service to the realm that has it
	counts   Counts
}

// Counts are how often a KDC was asked.
type Counts struct {
	AS       int // AS-REQ
	Proofs   int // AS-REQ with a proof of the password
	Services int // TGS-REQ
}

// New makes a KDC.
func New(realm string) *KDC {
	k := &KDC{
		Realm: realm, Now: time.Now, Lifetime: 10 * time.Hour, keys: keytab.New(),
		users: map[string]string{}, services: map[string]bool{}, refer: map[string]string{},
	}
	k.addKeys("krbtgt/"+realm, realm, "secret of "+realm)
	return k
}

func etypes() []int32 {
	return []int32{etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.RC4_HMAC}
}

func (k *KDC) addKeys(name, realm, password string) {
	for _, e := range etypes() {
		if err := k.keys.AddEntry(name, realm, password, time.Unix(1, 0), 1, e); err != nil {
			panic(err)
		}
	}
}

// AddUser makes a user, or gives one another password.
func (k *KDC) AddUser(name, password string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users[name] = password
}

// AddService makes a service and returns its keytab.
func (k *KDC) AddService(spn string) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.services[spn] = true
	k.addKeys(spn, k.Realm, "secret of "+spn)
	own := keytab.New()
	for _, e := range etypes() {
		if err := own.AddEntry(spn, k.Realm, "secret of "+spn, time.Unix(1, 0), 1, e); err != nil {
			panic(err)
		}
	}
	b, err := own.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// Refer makes the KDC refer those who ask for a service to another realm, which trusts it then.
func (k *KDC) Refer(spn string, other *KDC) {
	name := "krbtgt/" + other.Realm
	for _, realm := range []*KDC{k, other} {
		realm.mu.Lock()
		realm.addKeys(name, k.Realm, "trust of "+other.Realm+" in "+k.Realm)
		realm.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refer[spn] = other.Realm
	k.services[name] = true
}

// Counts returns how often the KDC was asked.
func (k *KDC) Counts() Counts {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counts
}

// DialContext connects to the KDC, whatever the address is. It fails for the address "127.0.0.1:1".
func (k *KDC) DialContext(_ context.Context, network, addr string) (net.Conn, error) {
	if addr == "127.0.0.1:1" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
	}
	client, server := net.Pipe()
	go k.serve(server)
	return client, nil
}

// serve answers one message.
func (k *KDC) serve(nc net.Conn) {
	defer nc.Close()
	var head [4]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return
	}
	request := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(nc, request); err != nil {
		return
	}
	answer := k.answer(request)
	if k.Tamper != nil {
		answer = k.Tamper(answer)
	}
	_, _ = nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)) // the client sees it
}

func (k *KDC) answer(request []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	var answer []byte
	var err error
	var as messages.ASReq
	var tgs messages.TGSReq
	switch {
	case as.Unmarshal(request) == nil:
		answer, err = k.as(&as)
	case tgs.Unmarshal(request) == nil:
		answer, err = k.tgs(&tgs)
	default:
		err = k.refusal(types.PrincipalName{}, 60)
	}
	var refused messages.KRBError
	if errors.As(err, &refused) {
		answer, err = refused.Marshal()
	}
	if err != nil {
		panic(err)
	}
	return answer
}

func (k *KDC) refusal(service types.PrincipalName, code int32) messages.KRBError {
	if len(service.NameString) == 0 {
		service.NameString = []string{"krbtgt", k.Realm}
	}
	e := messages.NewKRBError(service, k.Realm, code, "so it is")
	e.STime, e.Susec = k.Now().UTC().Truncate(time.Second), 0
	return e
}
