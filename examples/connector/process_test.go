//go:build unix

package main_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
)

// readmeCommands are those of the README's walk-through.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "### Run the three as processes")
	require.True(t, found)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(rest)
	require.NotNil(t, block)
	var commands []string
	for line := range strings.Lines(block[1]) {
		line, _, _ = strings.Cut(line, " #")
		if strings.Contains(line, "./") && !strings.HasPrefix(line, "go build") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	return commands
}

// TestREADME runs the commands of the README and opens what they leave.
func TestREADME(t *testing.T) {
	l := newLab(t)
	for _, line := range readmeCommands(t) {
		switch {
		case strings.HasPrefix(line, "./testca "):
			l.ca = l.start(line)
			l.ca.await("^ready ")
		case strings.HasSuffix(line, " serve"):
			l.gateway = l.start(line)
			l.gateway.await("administration at")
		case strings.HasPrefix(line, "./connector "):
			l.connector = l.start(line)
			l.connector.await("state=connected")
		default:
			l.run(line)
		}
	}
	require.NotNil(t, l.connector)
	for _, private := range []string{"enrollment-code", "laptop.password", "laptop.p12", "acme.key", "tls.key", "testca.password"} {
		info, err := os.Stat(l.path(private))
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm(), private)
	}
	key, chain, err := pkcs12.Decode([]byte(l.read("laptop.p12")), strings.TrimSpace(l.read("laptop.password")))
	require.NoError(t, err)
	assert.Equal(t, []string{"laptop-17.devices.corp.test"}, chain[0].DNSNames)
	assert.NotNil(t, key)
	assert.Regexp(t, `"connected": true`, l.run("./gateway -config gateway.json connectors acme"))
	assert.Contains(t, l.run("./connector -config connector.json show"), "registered as")
	l.connector.stop()
	l.gateway.stop()
	l.ca.stop()
	assert.NoFileExists(t, l.path("admin.sock"))
}

// TestOutcomes has every kind of end that a person sees.
func TestOutcomes(t *testing.T) {
	l := newLab(t)
	l.configure("connector.json", map[string]any{"heldSeconds": 1})
	l.up()
	held := l.order("Held", "held", "p256")
	for _, key := range []string{"p256", "rsa2048"} {
		o := l.outcome(l.order("Device", key, key))
		require.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
		private, chain, err := pkcs12.Decode(o.PKCS12, "secret-of-"+key)
		require.NoError(t, err)
		assert.Equal(t, key+".devices.corp.test", chain[0].Subject.CommonName)
		assert.Equal(t, o.Serial, chain[0].SerialNumber.Text(16))
		der, err := keygen.MarshalPrivateKey(private)
		require.NoError(t, err)
		assert.NotEmpty(t, der)
	}

	o := l.outcome(l.order("Forbidden", "denied", "p256"))
	assert.Equal(t, wsproto.Denied, o.Kind)
	assert.Equal(t, wsproto.ReasonCATemplate, o.Reason)
	assert.Contains(t, o.Message, "ask the service desk")

	refused := l.order("Administrator", "refused", "p256")
	assert.Contains(t, l.job(refused, func(a *jobAnswer) bool { return a.Refusal != "" }).Refusal, "policy-template")
	l.run("./gateway -config gateway.json cancel acme " + refused)
	assert.Equal(t, wsproto.Cancelled, l.outcome(refused).Kind)

	pending := l.job(held, func(a *jobAnswer) bool { return a.Outcome != nil }).Outcome
	require.Equal(t, wsproto.Pending, pending.Kind)
	fetch := l.start("./gateway -config gateway.json fetch acme " + held + " held")
	fetch.await(`pending ca-held request=\d+`)
	l.ca.say(fmt.Sprintf("approve %d", pending.RequestID), "done approve")
	require.Zero(t, fetch.exit(), fetch.out.String())
	_, _, err := pkcs12.Decode([]byte(l.read("held.p12")), "secret-of-held")
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"held": 1, "p256": 1, "rsa2048": 1, "denied": 1}, l.rows())
}

// TestDrain ends the connector while the CA has four requests.
func TestDrain(t *testing.T) {
	l := newLab(t)
	l.up()
	l.outcome(l.order("Device", "first", "p256")) // from now on calls go to the CA side by side
	l.ca.say("pause", "done pause")
	jobs := l.orders("drained", 4)
	l.ca.await("^waiting 4$")
	l.connector.signal(syscall.SIGTERM)
	l.connector.await("state=draining")
	late := l.order("Device", "late", "p256")
	l.ca.say("resume", "done resume")
	require.Zero(t, l.connector.exit(), l.connector.out.String())
	for _, job := range jobs {
		assert.Equal(t, wsproto.Issued, l.outcome(job).Kind)
	}
	assert.Len(t, l.rows(), 5, "nothing new is taken")
	l.startConnector()
	assert.Equal(t, wsproto.Issued, l.outcome(late).Kind, "it goes on after the next start")
	assert.Len(t, l.rows(), 6)
}

// TestSecondSignal: who does not want to wait for jobs says so twice.
func TestSecondSignal(t *testing.T) {
	l := newLab(t)
	l.up()
	l.ca.say("pause", "done pause")
	l.orders("cut", 1)
	l.ca.await("^waiting 1$")
	l.connector.signal(syscall.SIGTERM)
	l.connector.await("state=draining")
	l.connector.signal(syscall.SIGTERM)
	assert.Equal(t, 4, l.connector.exit(), "jobs were cut")
	l.ca.stop() // though an answer waits
}

// quick lets jobs of a connector that has vanished go on after seconds and not minutes.
var quick = map[string]any{"timing": map[string]string{"lease": "1s", "rpcDeadline": "4s", "margin": "1s", "stall": "2s", "resolve": "1m"}}

// TestKill kills the connector while the CA has requests, and again among many orders.
func TestKill(t *testing.T) {
	l := newLab(t)
	l.configure("gateway.json", quick)
	l.up()
	l.outcome(l.order("Device", "first", "p256")) // as above
	l.ca.say("pause", "done pause")
	at := l.orders("at-the-ca", 3)
	l.ca.await("^waiting 3$")
	l.connector.signal(syscall.SIGKILL)
	assert.Equal(t, -1, l.connector.exit())
	l.ca.say("resume", "done resume")
	l.startConnector()
	many := l.orders("many", 20)
	l.outcome(many[3])
	l.connector.signal(syscall.SIGKILL)
	l.connector.exit()
	l.startConnector()

	for _, job := range at {
		o := l.outcome(job)
		assert.Equal(t, wsproto.Unknown, o.Kind, "%+v", o)
		assert.Equal(t, wsproto.ReasonAnswerLost, o.Reason)
	}
	ends := make(map[wsproto.OutcomeKind]int)
	for _, job := range many {
		ends[l.outcome(job).Kind]++
	}
	t.Logf("%v", ends)
	assert.Equal(t, 20, ends[wsproto.Issued]+ends[wsproto.Unknown], "%v", ends)
	rows := l.rows()
	for subject, n := range rows {
		assert.Equal(t, 1, n, subject)
	}
	// Of the calls that were waiting when the connector was killed, the one on a connection at rest was a submission; on a new
	// one a harmless call goes ahead of it.
	assert.GreaterOrEqual(t, len(rows), 1+ends[wsproto.Issued])
}

// TestKillHeld kills the connector while the CA holds a request: the key is in the checkpoint, which the next one
// opens.
func TestKillHeld(t *testing.T) {
	l := newLab(t)
	l.configure("connector.json", map[string]any{"heldSeconds": 1})
	l.up()
	job := l.order("Held", "held", "p256")
	pending := l.job(job, func(a *jobAnswer) bool { return a.Outcome != nil }).Outcome
	require.Equal(t, wsproto.Pending, pending.Kind)
	l.connector.signal(syscall.SIGKILL)
	l.connector.exit()
	away := l.job(job, func(a *jobAnswer) bool { return a.Waiting != "" })
	assert.Contains(t, away.Waiting, "has it and is not connected")
	l.ca.say(fmt.Sprintf("approve %d", pending.RequestID), "done approve")
	l.startConnector()
	o := l.outcome(job)
	require.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
	assert.Equal(t, pending.RequestID, o.RequestID)
	_, _, err := pkcs12.Decode(o.PKCS12, "secret-of-held")
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"held": 1}, l.rows())
}

// TestLostAnswer: the connector lives, but the connection to the CA does not. What became of the request is looked up
// where the account may read the CA's database, and unknown where it may not, or shall not.
func TestLostAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads bool
		find  any
		kind  wsproto.OutcomeKind
	}{
		{"looked up", true, nil, wsproto.Issued},
		{"not allowed to", false, true, wsproto.Unknown},
		{"not configured to", true, false, wsproto.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.reads {
				l.configure("testca.json", map[string]any{"readers": []string{`CORP\enroller`}})
			}
			timing := map[string]string{"lease": "3s", "rpcDeadline": "3s"} // nobody looks up before
			if c.find == false {
				timing = nil // nobody waits
			}
			l.configure("gateway.json", map[string]any{"timing": timing})
			if c.find != nil {
				l.configureCA(map[string]any{"find": c.find})
			}
			l.up()
			l.ca.say("lose", "done lose")
			o := l.outcome(l.order("Device", "lost", "p256"))
			assert.Equal(t, c.kind, o.Kind, "%+v", o)
			if c.kind == wsproto.Issued {
				_, _, err := pkcs12.Decode(o.PKCS12, "secret-of-lost")
				require.NoError(t, err)
			}
			assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "next", "p256")).Kind)
			assert.Equal(t, map[string]int{"lost": 1, "next": 1}, l.rows())
		})
	}
}

// TestGatewayRestart: a gateway that keeps everything in memory knows nobody when it comes back.
func TestGatewayRestart(t *testing.T) {
	l := newLab(t)
	l.up()
	l.ca.say("pause", "done pause")
	job := l.order("Device", "forgotten", "p256")
	l.ca.await("^waiting 1$")
	l.gateway.signal(syscall.SIGKILL)
	l.gateway.exit()
	l.connector.await("state=disconnected")
	l.startGateway()
	l.connector.await("state=pending")
	assert.Equal(t, 404, l.call("GET", "jobs/"+job, nil, new(jobAnswer)))

	id := regexp.MustCompile(`"id": "(\w+)"`).FindStringSubmatch(l.run("./gateway -config gateway.json connectors acme"))[1]
	l.run("./gateway -config gateway.json approve acme " + id)
	l.run(`./gateway -config gateway.json assign acme ` + id + ` 'ca.corp.test\Test CA'`)
	l.connector.await("state=connected")
	l.ca.say("resume", "done resume")
	l.connector.await("job=" + job + ".*outcome=dropped")
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "new", "p256")).Kind)
	assert.Equal(t, map[string]int{"forgotten": 1, "new": 1}, l.rows())
	l.connector.stop()
}

// TestGatewayDrain: a gateway that is stopped waits for the jobs of its connectors.
func TestGatewayDrain(t *testing.T) {
	l := newLab(t)
	l.up()
	l.ca.say("pause", "done pause")
	job := l.order("Device", "last", "p256")
	l.ca.await("^waiting 1$")
	l.gateway.signal(syscall.SIGTERM)
	l.connector.await("state=draining")
	l.ca.say("resume", "done resume")
	require.Zero(t, l.gateway.exit(), l.gateway.out.String())
	assert.Contains(t, l.gateway.out.String(), "job "+job+" issued")
	assert.NoFileExists(t, l.path("admin.sock"))
}

// TestCARestart: the CA comes back at another port and, being a testca, with other keys.
func TestCARestart(t *testing.T) {
	l := newLab(t)
	l.up()
	require.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "before", "p256")).Kind)
	l.ca.stop()
	l.connector.signal(syscall.SIGHUP) // new clients: none has a connection that it takes for a good one
	l.connector.await("read again")
	o := l.outcome(l.order("Device", "without", "p256"))
	assert.Equal(t, wsproto.Failed, o.Kind)
	assert.Equal(t, wsproto.ReasonCAUnavailable, o.Reason)
	assert.Equal(t, wsproto.RetryAfter, o.Retry)
	l.startCA()
	o = l.outcome(l.order("Device", "untrusted", "p256"))
	assert.Equal(t, wsproto.Rejected, o.Kind, "the roots that the connector has read are those of the CA before")
	assert.Equal(t, wsproto.ReasonCertificateChain, o.Reason)
	assert.NotEmpty(t, o.Serial)
	l.connector.signal(syscall.SIGHUP)
	l.connector.await("read again")
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "after", "p256")).Kind)
}

// TestCopiedIdentity runs a second connector with the keys of the first.
func TestCopiedIdentity(t *testing.T) {
	l := newLab(t)
	l.configure("gateway.json", map[string]any{"timing": map[string]string{"drain": "1s"}})
	l.up()
	l.run("cp -r connector.state copy.state")
	l.write("copy.json", strings.Replace(l.read("connector.json"), "connector.state", "copy.state", 1))

	// The whole folder, like two processes of one installation: the newer one takes over, and the older one stays down.
	copied := l.start("./connector -config copy.json")
	copied.await("state=connected")
	assert.Equal(t, 3, l.connector.exit())
	assert.Contains(t, l.connector.out.String(), "4409")

	// The keys in another installation.
	state := regexp.MustCompile(`"instance":\s*"[^"]*"`).ReplaceAllString(l.read("copy.state/state.json"), `"instance": "another"`)
	l.write("connector.state/state.json", state)
	stranger := l.start("./connector -config connector.json")
	assert.Equal(t, 3, stranger.exit())
	assert.Contains(t, stranger.out.String(), "alarm=true")
	assert.Contains(t, stranger.out.String(), "another installation uses this identity key")
	l.gateway.await("ALARM duplicate-key")
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "still", "p256")).Kind)
}

// TestUsedCode enrolls a second connector with the code of the first.
func TestUsedCode(t *testing.T) {
	l := newLab(t)
	l.up()
	l.write("second.json", strings.Replace(l.read("connector.json"), "connector.state", "second.state", 1))
	second := l.start("./connector -config second.json")
	assert.Equal(t, 3, second.exit(), second.out.String())
	assert.Contains(t, second.out.String(), "enrollment code")
	l.code("enrollment-code")
	l.start("./connector -config second.json").await("state=connected")
}

// TestWrongPassword: a wrong password is tried once, and then no more until a person says so.
func TestWrongPassword(t *testing.T) {
	l := newLab(t)
	l.startCA()
	right := l.read("testca.password")
	l.write("password", "not-the-password\n")
	l.configure("connector.json", map[string]any{"capacity": 2})
	l.write("connector.json", strings.Replace(l.read("connector.json"), "testca.password", "password", 1))
	l.run("./gateway -config gateway.json init")
	l.startGateway()
	l.code("enrollment-code")
	l.startConnector()

	o := l.outcome(l.order("Device", "wrong", "p256"))
	assert.Equal(t, wsproto.Failed, o.Kind)
	assert.Equal(t, wsproto.ReasonCALogon, o.Reason)
	assert.Equal(t, wsproto.RetryOperator, o.Retry)
	l.connector.await(`reason=ca-logon`)
	paused := l.order("Device", "paused", "p256")
	assert.Contains(t, l.job(paused, func(a *jobAnswer) bool { return a.Refusal != "" }).Refusal, "credential")
	require.NoError(t, os.Remove(l.path("password")))
	l.connector.signal(syscall.SIGHUP)
	l.connector.await("the credentials stay as they are")
	l.write("password", right)
	l.connector.signal(syscall.SIGHUP)
	l.connector.await("read again")
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "right", "p256")).Kind)
	assert.Equal(t, map[string]int{"right": 1}, l.rows(), "nothing else has come to the CA")
}
