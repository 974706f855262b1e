package adtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// samba is a running domain controller: a tree of processes whose root is the first of a process namespace, so that all
// end with it, also those that make themselves independent.
type samba struct {
	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{} // closed when the root has ended
}

// startSamba starts a domain controller and waits until its services answer.
func startSamba(conf, folder string) (*samba, error) {
	log, err := os.Create(filepath.Join(folder, "samba.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("samba", "-i", "-M", "single", "-s", conf)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setpgid: true}
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	s := &samba{cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		defer close(s.exited)
		_ = cmd.Wait() // ended by stop, or noticed by ready
	}()
	if err := s.ready(); err != nil {
		return nil, errors.Join(err, s.stop(), s.complaint())
	}
	return s, nil
}

// ready waits until all services take connections. The file server asks winbindd about whoever logs on.
func (s *samba) ready() error {
	deadline := time.Now().Add(startTimeout)
	for _, port := range servicePorts() {
		if err := s.answers("tcp", dcAddr+":"+port, deadline); err != nil {
			return err
		}
	}
	return s.answers("unix", runFolder+"/winbindd/pipe", deadline)
}

func (s *samba) answers(network, addr string, deadline time.Time) error {
	for {
		c, err := net.DialTimeout(network, addr, time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the domain controller does not answer: %w", err)
		}
		select {
		case <-s.exited:
			return errors.New("the domain controller ended at its start")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// servicePorts are Kerberos, the endpoint mapper, LDAP, LDAPS, the password service and SMB.
func servicePorts() []string { return []string{"88", "135", "389", "636", "464", "445"} }

// stop ends all processes of the domain controller, and checks that nobody listens on its ports any more.
func (s *samba) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.log.Close()
	for _, port := range servicePorts() {
		if c, err := net.DialTimeout("tcp", dcAddr+":"+port, time.Second); err == nil {
			c.Close()
			return fmt.Errorf("adtest: port %s still answers after the domain controller has ended", port)
		}
	}
	return nil
}

// complaint is the end of the log as an error.
func (s *samba) complaint() error {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err
	}
	return errors.New(string(bytes.TrimSpace(text[max(0, len(text)-4096):])))
}
