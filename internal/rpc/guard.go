package rpc

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/polymath-run/polymath/api/polymathv1"
)

// controllerKey is the key of a request's controller in its context.
type controllerKey struct{}

func withController(ctx context.Context, c *http.ResponseController) context.Context {
	return context.WithValue(ctx, controllerKey{}, c)
}

// controller is the controller of the request of a context: every one that
// came through Handler has it.
func controller(ctx context.Context) *http.ResponseController {
	return ctx.Value(controllerKey{}).(*http.ResponseController) //nolint:forcetypeassert // a broken invariant
}

// guard ends a stream whose client does not read. A write deadline would do
// for one message; but it ends a stream on which nothing is sent as well, and
// moving it costs a round through the connection's goroutine.
type guard struct {
	stream exchange
	limit  time.Duration // for one message
	timer  *time.Timer

	mu   sync.Mutex
	over bool // the stream is gone, and what it stands on with it; guarded by mu
}

func newGuard(x exchange, limit time.Duration) *guard {
	g := &guard{stream: x, limit: limit}
	g.timer = time.AfterFunc(limit, g.cut)
	g.timer.Stop()
	return g
}

// send sends a message, and breaks the stream when that takes too long.
func (g *guard) send(m *polymathv1.Replies) error {
	g.timer.Reset(g.limit)
	defer g.timer.Stop()
	return g.stream.Send(m)
}

func (g *guard) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.stream.cut()
	}
}

// end is the end of the stream.
func (g *guard) end() {
	g.timer.Stop()
	g.mu.Lock()
	g.over = true
	g.mu.Unlock()
}
