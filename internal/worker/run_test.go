package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// shaky is a host whose connection breaks when its worker wants to leave: what
// it is told fails so many times.
type shaky struct {
	fail     int
	post     func(Event)
	released int
	left     bool
}

func (s *shaky) Join(_ context.Context, _ string, post func(Event)) (Seat, error) {
	s.post = post
	return s, nil
}

// answer tells the worker's loop what became of something.
func (s *shaky) answer(done func(error)) bool {
	var err error
	if s.fail > 0 {
		s.fail--
		err = polymath.Errorf(polymath.Unavailable, "the connection broke")
	}
	s.post(EventFunc(func(*Loop) { done(err) }))
	return err == nil
}

func (s *shaky) Demand(_ []string, _ uint32, _ time.Duration, done func(error)) {
	s.post(EventFunc(func(*Loop) { done(nil) }))
}
func (s *shaky) Beat()                           {}
func (s *shaky) Progress(polymath.Token, uint64) {}
func (s *shaky) Complete(polymath.Token, []byte, time.Duration, func(error)) {
	panic("nothing is complete")
}
func (s *shaky) Fail(polymath.Token, string, func(error)) { panic("nothing failed") }
func (s *shaky) Leave(done func(error))                   { s.left = s.answer(done) }
func (s *shaky) Release(_ polymath.Token, done func(error)) {
	if s.answer(done) {
		s.released++
	}
}

// TestLeaveOverABreak: a worker that leaves while its connection is away hands
// its leases back once it is there again.
func TestLeaveOverABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &shaky{fail: 3}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, host, Options{Name: "w", Functions: function.NewSet(odd{})}) }()
		synctest.Wait()
		for n := range uint64(2) { // one runs, one waits
			ls := lease(n + 1)
			ls.Function, ls.Input = "odd", []byte("hang")
			host.post(EventFunc(func(l *Loop) { l.Granted(ls) }))
		}
		synctest.Wait()
		cancel()
		if err := <-done; err != nil || host.released != 2 || !host.left {
			t.Errorf("%v; %d leases went back, left %v", err, host.released, host.left)
		}
	})
}

// TestTooManyAtATime: what no session may have is refused before there is
// room made for it.
func TestTooManyAtATime(t *testing.T) {
	for _, parallel := range []int{polymath.MaxSlots + 1, 1 << 40} {
		err := Run(t.Context(), &shaky{}, Options{Name: "w", Functions: function.NewSet(odd{}), Parallel: parallel})
		if polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%d at a time: %v", parallel, err)
		}
	}
}
