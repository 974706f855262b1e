package connector

import (
	"context"
	"crypto"

	"github.com/adcskit/adcskit/wsproto"
)

// Job is a job that no goroutine works on.
type Job struct{ j *job }

// NewJob makes a job of an offer without running it.
func NewJob(ctx context.Context, c *Connector, o *wsproto.Offer) Job { return Job{newJob(ctx, c, o)} }

// Abort is the tenant's cancellation.
func (j Job) Abort() bool { return j.j.abort() }

// Supersede is a newer attempt.
func (j Job) Supersede() { j.j.supersede() }

// Commit is the last step before a request leaves.
func (j Job) Commit() error { return j.j.commit() }

// Stop frees what the job holds.
func (j Job) Stop() { j.j.stop() }

// Admit decides whether a job is taken.
func (j Job) Admit(ctx context.Context, o *wsproto.Offer) *wsproto.OfferResult {
	return j.j.admit(ctx, o)
}

// PrivateKey is the encoded private key that the job holds, and Key the key itself.
func (j Job) PrivateKey() []byte { return j.j.secret.PrivateKey }

func (j Job) Key() crypto.Signer { return j.j.prepared.Key }

// Prepare and Seal are the first steps of a job.
func (j Job) Prepare() error { return j.j.prepare() }

func (j Job) Seal() error {
	_, err := j.j.seal(wsproto.CheckpointSubmitting, 0)
	return err
}

// Forget is the last step of a job.
func (j Job) Forget() { j.j.forget() }

// OpenIdentityInSteps is [OpenIdentity] with a function that is called before each change on disk.
func OpenIdentityInSteps(dir string, store KeyStore, step func(string) error) (*Identity, error) {
	return openIdentity(dir, store, step)
}
