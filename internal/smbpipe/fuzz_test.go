package smbpipe

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// talk opens a pipe with a server and uses it.
func talk(serve func(net.Conn)) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, server := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(server)
	}()
	key := []byte("0123456789abcdef")
	c, err := Open(ctx, client, Config{Host: "h", Pipe: "cert", Auth: &testAuth{legs: 1, key: key}})
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = c.Write([]byte("hello")); err == nil {
			_, _ = io.ReadFull(c, make([]byte, 5))
		}
	}
	client.Close()
	<-done
}

// FuzzUnsigned lets a server say anything at all, in the place of its nth response.
func FuzzUnsigned(f *testing.F) {
	f.Add(uint8(0), []byte("\xfeSMB"))
	f.Add(uint8(1), (&testServer{dialect: smb311}).response(cmdSessionSetup, 1, statusSuccess, setupBody(0, nil)))
	f.Add(uint8(3), append([]byte("\xfdSMB"), make([]byte, 60)...))
	f.Fuzz(func(_ *testing.T, n uint8, garbage []byte) {
		at := int(n % 6)
		s := &testServer{dialect: smb311, cipher: aes128GCM, legs: 1, key: []byte("0123456789abcdef")}
		s.late = func(_ command, b []byte) []byte {
			if at--; at < 0 {
				return garbage
			}
			return b
		}
		talk(s.serve)
	})
}

// FuzzSigned lets a server that the client has accepted say anything behind a right header and signature.
func FuzzSigned(f *testing.F) {
	f.Add(uint8(0), uint8(smb311&0xff), (&testServer{dialect: smb311, cipher: aes128GCM}).negotiateBody())
	f.Add(uint8(1), uint8(0), setupBody(0, []byte("go on")))
	f.Add(uint8(2), uint8(2), make([]byte, 16))
	f.Add(uint8(3), uint8(2), make([]byte, 88))
	f.Add(uint8(4), uint8(2), make([]byte, 16))
	f.Add(uint8(5), uint8(2), make([]byte, 32))
	f.Fuzz(func(_ *testing.T, n, d uint8, body []byte) {
		at := int(n % 6)
		dialects := []dialect{smb202, smb210, smb300, smb302, smb311}
		s := &testServer{dialect: dialects[int(d)%len(dialects)], cipher: aes128CCM, legs: 1, key: []byte("0123456789abcdef")}
		s.change = func(_ command, b []byte) []byte {
			if at--; at == -1 {
				return append(b[:headerSize:headerSize], body...)
			}
			return b
		}
		talk(s.serve)
	})
}
