package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
)

// bodyLimit is how long the message of a single call may take to arrive, and
// the body of a request that is none: the server skips that before it answers.
const bodyLimit = 30 * time.Second

// body is the body of a request, with a deadline.
type body struct {
	io.ReadCloser

	limit time.Duration
	late  func() // called when the time is over
}

// Read implements io.Reader. It says in words that the time is over.
func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.late()
		err = fault(polymath.Errorf(polymath.Timeout, "the message did not arrive within %v", b.limit))
	}
	return n, err
}

// hurry gives the body of a request its time. Where none can be given, as in a
// test, there is nobody to wait for.
func (s *Server) hurry(w http.ResponseWriter, r *http.Request, control *http.ResponseController) {
	if r.ContentLength == 0 || control.SetReadDeadline(time.Now().Add(s.bodyLimit)) != nil {
		return
	}
	r.Body = body{r.Body, s.bodyLimit, func() {
		if r.ProtoMajor < 2 {
			w.Header().Set("Connection", "close") // the rest of the body would be taken for the next request
		}
	}}
}

// arrived lifts the deadline once the message of a call is there: left
// standing, it would end a call that waits for its job.
func arrived(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		_ = controller(ctx).SetReadDeadline(time.Time{})
		return next(ctx, r)
	}
}
