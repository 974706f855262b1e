package smbpipe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// Config says which pipe to open. All fields are required.
type Config struct {
	Host string // name of the server, as in \\host\IPC$
	Pipe string // name of the pipe without \pipe\, such as "cert"
	// Auth logs on.
	Auth Authenticator
}

const maxNameUnits = 512 // UTF-16 code units of a path

// Open logs on to the server at the other end of nc and opens a pipe. On an error nc has been closed. Errors are
// *[StatusError] when the server refuses, [ErrAnonymous], [ErrMalformed], [ErrIntegrity], those of the Authenticator
// and those of nc; when ctx ends, nc is closed, and the error is whatever that looks like.
func Open(ctx context.Context, nc net.Conn, cfg Config) (*Conn, error) {
	c := &Conn{link: link{nc: nc, in: frames{r: nc}}}
	release := watch(ctx, nc)
	err := c.open(cfg)
	release()
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// watch makes reads and writes on nc end with ctx, by closing nc: connections exist that know no deadlines. The
// function that it returns ends that.
func watch(ctx context.Context, nc net.Conn) (release func()) {
	deadline, _ := ctx.Deadline() // the zero time is no deadline
	_ = nc.SetDeadline(deadline)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = nc.Close()
	})
	return func() {
		if !stop() {
			<-done
		}
		_ = nc.SetDeadline(time.Time{})
	}
}

func (c *Conn) open(cfg Config) error {
	share, pipe := utf16le(`\\`+cfg.Host+`\IPC$`), utf16le(cfg.Pipe)
	named := cfg.Host != "" && cfg.Pipe != "" && len(share) <= 2*maxNameUnits && len(pipe) <= 2*maxNameUnits
	if !named || cfg.Auth == nil {
		return errors.New("name of the host or the pipe")
	}
	var err error
	if c.serverTime, err = c.negotiate(); err != nil {
		return at(StepNegotiate, err)
	}
	if err := c.logon(cfg.Auth); err != nil {
		return at(StepSession, err)
	}
	if err := c.connectTree(share); err != nil {
		return at(StepTree, err)
	}
	return at(StepOpen, c.create(pipe))
}

// at names the step that an error belongs to, if it does not do so itself.
func at(step Step, err error) error {
	var status *StatusError
	if err == nil || errors.As(err, &status) {
		return err
	}
	return fmt.Errorf("%s: %w", step, err)
}

const (
	sharePipe    = 2      // MS-SMB2 section 2.2.10
	shareEncrypt = 0x8000 // SMB2_SHAREFLAG_ENCRYPT_DATA
)

// connectTree connects to IPC$ (MS-SMB2 section 2.2.9).
func (c *Conn) connectTree(share []byte) error {
	le := binary.LittleEndian
	b := make([]byte, 8, 8+len(share))
	le.PutUint16(b, 9)
	le.PutUint16(b[4:], headerSize+8)
	le.PutUint16(b[6:], uint16(len(share)))
	m, err := c.exchange(cmdTreeConnect, append(b, share...))
	if err != nil {
		return err
	}
	if m.status() != statusSuccess {
		return c.refused(StepTree, m)
	}
	if b, err = m.fixed(16); err != nil {
		return err
	}
	if b[2] != sharePipe {
		return malformed("IPC$ is a share of type %d", b[2])
	}
	c.tree = m.tree()
	if le.Uint32(b[4:])&shareEncrypt != 0 {
		return c.seal()
	}
	return nil
}

const (
	accessPipe    = 0x0012019f // what Windows' clients ask for: read, write, attributes, synchronize
	impersonation = 2          // the server may act as the caller on its own host
	dispositionIf = 1          // FILE_OPEN: only if it exists
	notDirectory  = 0x40
)

// create opens the pipe (MS-SMB2 section 2.2.13).
func (c *Conn) create(pipe []byte) error {
	le := binary.LittleEndian
	b := make([]byte, 56, 56+len(pipe))
	le.PutUint16(b, 57)
	le.PutUint32(b[4:], impersonation)
	le.PutUint32(b[24:], accessPipe)
	le.PutUint32(b[32:], 3) // others may read and write too
	le.PutUint32(b[36:], dispositionIf)
	le.PutUint32(b[40:], notDirectory)
	le.PutUint16(b[44:], headerSize+56)
	le.PutUint16(b[46:], uint16(len(pipe)))
	m, err := c.exchange(cmdCreate, append(b, pipe...))
	if err != nil {
		return err
	}
	if m.status() != statusSuccess {
		return c.refused(StepOpen, m)
	}
	if b, err = m.fixed(89); err != nil {
		return err
	}
	copy(c.file[:], b[64:80])
	return nil
}
