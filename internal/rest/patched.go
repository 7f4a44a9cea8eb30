package rest

import (
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// inner is a huma.Context, named so that its method Context can be embedded.
type inner = huma.Context

// patched is a huma.Context whose status an error may change late, and whose
// writes a reader cannot hold up for ever.
type patched struct {
	inner
	status int // 0: as huma says
	wrote  bool
}

// patch wraps every call of an operation.
func patch(ctx huma.Context, next func(huma.Context)) {
	p := &patched{inner: ctx}
	next(p)
	if p.wrote { // the connection's next request has its own time
		_ = http.NewResponseController(callOf(ctx.Context()).writer).SetWriteDeadline(time.Time{})
	}
}

// Unwrap lets huma find the context within.
func (p *patched) Unwrap() huma.Context { return p.inner }

// SetStatus writes the head of an answer; its body must follow within a time.
func (p *patched) SetStatus(status int) {
	if p.status != 0 {
		status = p.status
	}
	p.wrote = true
	// Without support for deadlines, as in a test, nobody can be held up.
	_ = http.NewResponseController(callOf(p.Context()).writer).SetWriteDeadline(time.Now().Add(answerLimit))
	p.inner.SetStatus(status)
}

// answerLimit is how long a reader may take for an answer.
const answerLimit = 30 * time.Second

// BodyWriter is where the answer goes.
func (p *patched) BodyWriter() io.Writer { return deaf{p.inner.BodyWriter()} }

// deaf writes for a reader that may be gone, which is no fault of the server
// and nothing to panic about.
type deaf struct{ to io.Writer }

// Write implements io.Writer.
func (d deaf) Write(b []byte) (int, error) {
	_, _ = d.to.Write(b)
	return len(b), nil
}

// Header reads a header of the request. There is one format of answers, so
// that what a client says it reads is left aside.
func (p *patched) Header(name string) string {
	if name == "Accept" {
		return ""
	}
	return p.inner.Header(name)
}
