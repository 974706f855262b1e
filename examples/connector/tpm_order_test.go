//go:build unix

package main

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
)

// place places an order and returns its job.
func (s *site) place(template, device string) string {
	s.t.Helper()
	id, err := s.gateway.Order(s.t.Context(), "acme", wsproto.Order{
		CA: s.served(), Template: template, Subject: "CN=" + device, DNS: []string{device + ".devices.corp.test"}, Key: "p256",
		Password: "correct-horse-battery",
	}, nil)
	require.NoError(s.t, err)
	return id
}

// hold places an order that the CA holds, and returns its job and the CA's request.
func (s *site) hold(device string) (job string, request uint32) {
	s.t.Helper()
	job = s.place("DeviceHeld", device)
	require.Eventually(s.t, func() bool {
		info, err := s.gateway.Job(s.t.Context(), "acme", job)
		require.NoError(s.t, err)
		if info.Outcome != nil {
			require.Equal(s.t, wsproto.Pending, info.Outcome.Kind, "%+v", info.Outcome)
			request = info.Outcome.RequestID
		}
		return request != 0
	}, time.Minute, time.Millisecond)
	return job, request
}

// outcome waits for the final outcome of a job.
func (s *site) outcome(job string) wsproto.Outcome {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	o, err := s.gateway.Wait(ctx, "acme", job)
	if err != nil {
		info, ierr := s.gateway.Job(s.t.Context(), "acme", job)
		require.NoError(s.t, err, "%+v %v", info, ierr)
	}
	return o
}

// issued waits for a bundle that its password opens.
func (s *site) issued(job string) wsproto.Outcome {
	s.t.Helper()
	o := s.outcome(job)
	require.Equal(s.t, wsproto.Issued, o.Kind, "%+v", o)
	_, _, err := pkcs12.Decode(o.PKCS12, "correct-horse-battery")
	require.NoError(s.t, err)
	return o
}

// allowHeld lets the connector order what the CA holds, and ask for it soon.
func (s *site) allowHeld() {
	s.config.Policy.Templates = append(s.config.Policy.Templates, "DeviceHeld")
	s.config.HeldSeconds = 1
}

// pause lets the CA work on the next requests, but not answer before release is called. come waits until they are there.
func (s *site) pause(requests int) (come, release func()) {
	var there sync.WaitGroup
	there.Add(requests)
	released := make(chan struct{})
	for range requests {
		s.ca.InjectFault(adcstest.Fault{Stub: func(stub []byte) []byte {
			there.Done()
			<-released
			return stub
		}})
	}
	release = sync.OnceFunc(func() { close(released) })
	s.t.Cleanup(release)
	return there.Wait, release
}
