package wsproto_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
)

// Two peers on a connection in memory: one cancels a job, the other says that it is too late.
func ExamplePeer() {
	left, right := wsproto.Pipe()
	tenant := wsproto.NewPeer(left, nil, nil)
	connector := wsproto.NewPeer(right, func(_ context.Context, r *wsproto.Request) (any, error) {
		if r.Method != wsproto.MethodCancel {
			return nil, wsproto.CodeMethodNotFound
		}
		var m wsproto.Cancel
		if err := r.Decode(&m); err != nil {
			return nil, err
		}
		return wsproto.CancelResult{Cancelled: false}, nil
	}, nil)
	ended := make(chan error, 2)
	go func() { ended <- tenant.Run(context.Background()) }()
	go func() { ended <- connector.Run(context.Background()) }()

	var result wsproto.CancelResult
	err := tenant.Call(context.Background(), wsproto.MethodCancel, wsproto.Cancel{Job: "job-1", Attempt: 1}, &result)
	fmt.Println(result.Cancelled, err)
	err = tenant.Call(context.Background(), wsproto.MethodOffer, wsproto.Empty{}, nil)
	fmt.Println(errors.Is(err, wsproto.CodeMethodNotFound))

	tenant.Close(wsproto.CloseGoingAway, "done")
	<-ended
	<-ended
	fmt.Println(connector.Err())
	// Output:
	// false <nil>
	// true
	// wsproto: connection ended with 1001 (going away): "done"
}

// A person carries the code from the tenant's console to the connector.
func ExampleEnrollmentCode() {
	code := wsproto.NewEnrollmentCode(wsproto.FingerprintSPKI([]byte("the tenant's key")))
	copied, err := wsproto.ParseEnrollmentCode(code.Reveal())
	fmt.Println(copied == code, err)

	_, err = wsproto.ParseEnrollmentCode("adcs1something")
	fmt.Println(err)
	// Output:
	// true <nil>
	// wsproto: not an enrollment code, or not copied completely
}
