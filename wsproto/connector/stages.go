package connector

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// The stages return the outcome of the job. A nil outcome means that the job is dropped, because of the error.

// work brings an accepted job to its outcome. life ends when the connector stops for good.
func (j *job) work(life context.Context) (*wsproto.Outcome, error) {
	switch {
	case j.resumed == nil:
		if err := j.prepare(); err != nil {
			return j.notSubmitted(err)
		}
		return j.request(life)
	case j.resumed.RequestID != 0:
		return j.retrieve(life, j.resumed.RequestID)
	default:
		return j.recover(life)
	}
}

// prepare makes the key and the certification request.
func (j *job) prepare() error {
	defer j.stage("prepare")()
	p, err := j.c.cfg.Issuer.Prepare(j.early, &j.order)
	if err == nil && p != nil {
		j.prepared = p // to be wiped, whatever comes of it
	}
	if cause := context.Cause(j.early); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	if p == nil || p.Key == nil {
		return errors.New("connector: the issuer prepared nothing")
	}
	return nil
}

// request has the CA sign what was prepared: lease, submit, and what follows from the answer.
func (j *job) request(life context.Context) (*wsproto.Outcome, error) {
	end := j.stage("wait")
	permit, err := j.c.credentials.acquire(j.early, j.account, j.order.CA)
	end()
	if err != nil {
		return j.notSubmitted(err)
	}
	l, err := j.obtainLease()
	if err != nil {
		permit.done(useNone)
		return j.notSubmitted(err)
	}
	result, err := j.submit(life, l, permit)
	if e := classify(err); e != nil && e.Kind == CAUnknown {
		return j.lookUp(life, l, err)
	}
	return j.answered(life, result, err)
}

// submit hands the request to the CA. It is called with the job committed and a lease that was running just before.
func (j *job) submit(life context.Context, l lease, permit *permit) (*CAResult, error) {
	defer j.stage("submit")()
	// Until the window of the lease ends, and never longer than the tenant allows from now on.
	ctx, cancel := context.WithTimeout(life, min(l.rpcDeadline, time.Until(l.windowEnd())))
	defer cancel()
	result, err := j.c.cfg.Issuer.Submit(ctx, &j.order, j.prepared)
	if err == nil {
		err = checkResult(result)
	}
	permit.done(j.c.health.used(j.order.CA, err))
	return result, err
}

// checkResult treats an answer that cannot be true as a lost one.
func checkResult(r *CAResult) error {
	if r == nil || r.Pending && r.RequestID == 0 || !r.Pending && len(r.Certificate) == 0 {
		return &CAError{Kind: CAUnknown, Err: errors.New("connector: the issuer returned an incomplete answer")}
	}
	return nil
}

// answered goes on with an answer of the CA that says what became of the request.
func (j *job) answered(life context.Context, result *CAResult, err error) (*wsproto.Outcome, error) {
	switch {
	case err != nil && j.resumed != nil:
		return j.unknown(), err // this one has failed, but not the one that an earlier attempt may have submitted
	case err != nil:
		return j.failed(classify(err)), err
	case result.Pending:
		return j.held(life, result)
	}
	return j.issued(life, result)
}

// held tells the tenant under which id the CA holds the request; the job ends for now.
func (j *job) held(life context.Context, result *CAResult) (*wsproto.Outcome, error) {
	defer j.stage("checkpoint")()
	// Without this checkpoint nobody could fetch the certificate: a key that fails is waited for.
	params, err := j.sealWithin(j.current, 0, wsproto.CheckpointPending, result.RequestID)
	if err == nil {
		_, err = j.send(j.current, params)
	}
	if isDrop(err) {
		return nil, err
	}
	// Whatever else is wrong with the checkpoint, the outcome names the request for a person to look after.
	return j.pending(result), err
}

// issued verifies and encodes what the CA issued. An error is why that is not delivered, beyond what the outcome says.
func (j *job) issued(life context.Context, result *CAResult) (*wsproto.Outcome, error) {
	defer j.stage("finish")()
	leaf, err := x509.ParseCertificate(result.Certificate)
	if err != nil {
		return j.rejected(result, nil, &Rejection{Reason: wsproto.ReasonCertificateMismatch, Message: "not an X.509 certificate"}), nil
	}
	if serialOf(leaf) == "" {
		return j.rejected(result, leaf, &Rejection{Reason: wsproto.ReasonCertificateMismatch, Message: "no valid serial number"}), nil
	}
	if !sameKey(leaf, j.keyHash) {
		return j.rejected(result, leaf, &Rejection{Reason: wsproto.ReasonCertificateKey, Message: "issued for another key"}), nil
	}
	bundle, err := j.c.cfg.Issuer.Finish(life, &j.order, j.prepared, result)
	var d delivery
	if err == nil {
		d, err = j.pack(life, bundle, result.Certificate)
	}
	if _, told := errors.AsType[*Rejection](err); told {
		return j.rejected(result, leaf, err), nil
	}
	if err != nil {
		return j.rejected(result, leaf, err), err
	}
	return j.delivered(result, leaf, d), nil
}

// lookUp is what is left when the answer to a submit is lost. It waits until nothing can be on its way any more; even
// then a row that is not there proves nothing.
func (j *job) lookUp(life context.Context, l lease, lost error) (*wsproto.Outcome, error) {
	if j.finder() == nil {
		return j.unknown(), lost
	}
	timer := time.NewTimer(time.Until(l.windowEnd()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.current.Done():
		return nil, context.Cause(j.current) // whoever has the newer attempt looks it up
	}
	result, err := j.find(life)
	if e := classify(err); e != nil && j.resumed != nil {
		return j.unknown(), errors.Join(lost, err) // a refused row need not be the only one: see answered
	}
	return j.found(life, result, err, lost)
}

// recover goes on with a job whose request may have been submitted by an earlier attempt.
func (j *job) recover(life context.Context) (*wsproto.Outcome, error) {
	result, err := j.find(life)
	e := classify(err)
	arrived := result != nil || e != nil && (e.Kind == CARefused || e.RequestID != 0)
	if !arrived && j.order.Resubmit {
		if err := j.renew(); err != nil {
			return j.notSubmitted(err)
		}
		return j.request(life)
	}
	return j.found(life, result, err, errors.New("connector: an earlier attempt may have submitted the request"))
}

// renew makes another request if the one to submit again was made with a former key: keys are also rotated because
// somebody else may have them, and he shall not choose what is submitted.
func (j *job) renew() error {
	if !j.outdated {
		return nil
	}
	j.forgetKey()
	j.attempted = time.Time{}
	return j.prepare()
}

// found goes on with what a look-up brought.
func (j *job) found(life context.Context, result *CAResult, err, lost error) (*wsproto.Outcome, error) {
	switch e := classify(err); {
	case e != nil && e.Kind == CARefused:
		return j.failed(e), nil // the row says that the CA decided against it
	case e != nil, result == nil:
		return j.unknown(), errors.Join(lost, err)
	}
	return j.answered(life, result, nil)
}

// find asks the CA's database if the issuer can. Nil without an error is no row, or nobody to ask.
func (j *job) find(life context.Context) (*CAResult, error) {
	finder := j.finder()
	if finder == nil {
		return nil, nil
	}
	defer j.stage("lookup")()
	return j.callCA(life, func(ctx context.Context) (*CAResult, error) {
		lookup := Lookup{Account: j.account, Time: j.attempted, Request: j.prepared.Request}
		result, err := finder.Find(ctx, &j.order, lookup)
		if err == nil && result != nil {
			err = checkResult(result)
		}
		return result, err
	})
}

// finder is who can look up at the CA of the order, or nil.
func (j *job) finder() Finder {
	if partial, ok := j.c.cfg.Issuer.(PartialFinder); ok && !partial.Finds(j.order.CA) {
		return nil
	}
	finder, _ := j.c.cfg.Issuer.(Finder)
	return finder
}

// retrieve fetches the answer to a request that the CA holds. Whatever is in the way, the request stays there: only the
// CA's decision about it ends the job.
func (j *job) retrieve(life context.Context, requestID uint32) (*wsproto.Outcome, error) {
	end := j.stage("retrieve")
	result, err := j.callCA(life, func(ctx context.Context) (*CAResult, error) {
		result, err := j.c.cfg.Issuer.Retrieve(ctx, &j.order, requestID)
		if err == nil {
			err = checkResult(result)
		}
		return result, err
	})
	end()
	e := classify(err)
	switch {
	case life.Err() != nil:
		return nil, errCut
	case e == nil && !result.Pending:
		return j.issued(life, result)
	case e != nil && e.Kind == CARefused:
		return j.failed(e), nil
	case e != nil:
		return j.notRetrieved(requestID, e), err
	}
	return j.pending(&CAResult{RequestID: requestID, Disposition: result.Disposition, Message: result.Message}), nil
}

// callCA makes a call that submits nothing, with the credential's permit.
func (j *job) callCA(life context.Context, call func(context.Context) (*CAResult, error)) (*CAResult, error) {
	ctx, cancel := context.WithTimeout(life, j.c.callDeadline())
	defer cancel()
	permit, err := j.c.credentials.acquire(ctx, j.account, j.order.CA)
	if err != nil {
		return nil, &CAError{Kind: CAUnavailable, Reason: wsproto.ReasonCredential, Err: err}
	}
	result, err := call(ctx)
	permit.done(j.c.health.used(j.order.CA, err))
	return result, err
}
