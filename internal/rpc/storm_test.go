package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/link"
	"github.com/polymath-run/polymath/worker"
)

// storm is many goroutines that submit and wait through whatever happens, and
// the book of what they were told.
type storm struct {
	t      *testing.T
	stop   chan struct{}
	work   sync.WaitGroup
	count  atomic.Int64 // jobs that were acknowledged and answered
	mu     sync.Mutex
	jobs   map[polymath.JobID]int64 // acknowledged, and what was asked; guarded by mu
	failed error                    // guarded by mu
}

// blow lets goroutines ask for products through some clients until calm.
func blow(t *testing.T, clients []*client.Client, goroutines int) *storm {
	s := &storm{t: t, stop: make(chan struct{}), jobs: make(map[polymath.JobID]int64)}
	for i := range goroutines {
		c := clients[i%len(clients)]
		s.work.Go(func() {
			for n := int64(i) << 32; ; n++ {
				select {
				case <-s.stop:
					return
				default:
				}
				if err := s.ask(c, n); err != nil {
					s.mu.Lock()
					s.failed = err
					s.mu.Unlock()
					return
				}
				s.count.Add(1)
			}
		})
	}
	return s
}

// ask submits one job of its own, and holds its answer against the truth.
func (s *storm) ask(c *client.Client, n int64) error {
	id, err := c.Submit(s.t.Context(), client.Request{Function: "multiply", Input: fmt.Sprintf(`{"a":"%d","b":3}`, n)})
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	s.mu.Lock()
	if old, twice := s.jobs[id]; twice {
		s.failed = fmt.Errorf("job %v answers %d and %d", id, old, n)
	}
	s.jobs[id] = n
	s.mu.Unlock()
	j, err := c.Wait(s.t.Context(), id)
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	if j.State != polymath.Succeeded || number(j.Answer) != fmt.Sprint(3*n) {
		return fmt.Errorf("job %v is %v: %s, %w; want %d", id, j.State, j.Answer, j.Err, 3*n)
	}
	return nil
}

// number is a JSON number or a string with one.
func number(answer json.RawMessage) string {
	var text string
	if json.Unmarshal(answer, &text) == nil {
		return text
	}
	return string(answer)
}

// more waits until so many more jobs are answered.
func (s *storm) more(n int64) {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for want := s.count.Load() + n; s.count.Load() < want; {
		select {
		case <-tick.C:
		case <-s.t.Context().Done():
			s.t.Fatal("the storm stands still")
		}
		s.mu.Lock()
		err := s.failed
		s.mu.Unlock()
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// calm ends the storm and holds the book against the archive: every job once.
func (s *storm) calm(on *server) {
	s.t.Helper()
	close(s.stop)
	s.work.Wait()
	if s.failed != nil {
		s.t.Error(s.failed)
	}
	if err := on.archive.Flush(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	if kept := on.archive.Stats().Jobs; kept != uint64(len(s.jobs)) || on.node.Stats().Jobs != 0 {
		s.t.Errorf("%d jobs are in the archive and %d unfinished, %d were acknowledged", kept, on.node.Stats().Jobs, len(s.jobs))
	}
}

// TestRestart: a server that stops and starts again in the middle of many
// clients and a worker loses nothing and doubles nothing, and those who hold
// leases keep them (W8, P6).
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, addresstest.Free(t))
	leave := s.builtin(2)
	storm := blow(t, []*client.Client{s.dial(), s.dial()}, 64)
	storm.more(200)
	workers := s.node.Workers()
	for range 3 {
		s.stop()
		if n := s.attempts.Load(); n > 1 {
			t.Errorf("a lease was tried %d times", n)
		}
		s = start(t, dir, s.address)
		storm.more(500)
	}
	if now := s.node.Workers(); len(workers) != 1 || len(now) != 1 || now[0].Session != workers[0].Session {
		t.Errorf("workers %v became %v", workers, now)
	}
	storm.calm(s)
	leave() // while there is a server that confirms its last reports
	if n := s.attempts.Load(); n > 1 {
		t.Errorf("a lease was tried %d times", n)
	}
}

// TestRestartUnderOwnFunctions: a program's own functions, and the lease its
// worker is in the middle of, come through a restart.
func TestRestartUnderOwnFunctions(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, addresstest.Free(t))
	begun, finish := make(chan struct{}, 10), make(chan struct{})
	url := s.url()
	leave := s.work(func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: url, Name: "own", Parallel: 1},
			worker.Call("own", func(context.Context, json.RawMessage) (any, error) {
				begun <- struct{}{}
				<-finish
				return "done", nil
			}).Silent(time.Minute))
	})
	c := s.dial()
	submit := func() polymath.JobID {
		for {
			id, err := c.Submit(t.Context(), client.Request{Function: "own"})
			if err == nil {
				return id
			}
			if polymath.CodeOf(err) != polymath.NotFound { // the worker is on its way
				t.Fatal(err)
			}
		}
	}
	first := submit()
	<-begun
	workers := s.node.Workers()
	s.stop()
	s = start(t, dir, s.address)
	second := submit()
	close(finish)
	for _, id := range []polymath.JobID{first, second} {
		if j, err := c.Wait(t.Context(), id); err != nil || string(j.Answer) != `"done"` {
			t.Errorf("%+v, %v", j, err)
		}
	}
	if now := s.node.Workers(); len(now) != 1 || len(workers) != 1 || now[0].Session != workers[0].Session {
		t.Errorf("workers %v became %v", workers, now)
	}
	leave() // as above
	if len(begun) != 1 || s.attempts.Load() > 1 {
		t.Errorf("work began %d times more, %d attempts", len(begun), s.attempts.Load())
	}
}

// TestTicketOutlivesFunction: a request that is repeated because nobody knows
// what became of it finds its job, also when the server started anew and no
// worker has told it of the function yet.
func TestTicketOutlivesFunction(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, addresstest.Free(t))
	ask := func(r *raw, q *polymathv1.Request) *polymathv1.Reply {
		call := r.next()
		r.send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Call: call, Request: q}}})
		return r.reply(call)
	}
	request := &polymathv1.Request{Function: "greet", Input: []byte(`{"a":1}`), Ticket: ticket(1)}
	r := s.raw()
	r.join(greet())
	first := ask(r, request)
	s.stop()
	s = start(t, dir, s.address)
	again := ask(s.raw(), request)
	if first.GetJob() == "" || again.GetJob() != first.GetJob() || !again.GetExisting() {
		t.Errorf("%v, then %v", first, again)
	}
	calls := polymathv1connect.NewPolymathClient(web(t, true), s.url())
	single, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{Requests: []*polymathv1.Request{request}}))
	if err != nil || single.Msg.GetOutcomes()[0].GetJob() != first.GetJob() {
		t.Errorf("%v, %v", single, err)
	}
	request.Ticket = ticket(2)
	if never := ask(s.raw(), request); never.GetError().GetCode() != "not_found" {
		t.Errorf("%v", never)
	}
}

// TestBrokenConnections: the same through a network that cuts, delays and
// doubles.
func TestBrokenConnections(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, plan := range map[string]func(r *rand.Rand, n int64) fate{
		"cut towards the server": func(r *rand.Rand, n int64) fate { return fate{cut: n*n*500 + r.Int64N(20_000)} },
		"cut towards the client": func(r *rand.Rand, n int64) fate { return fate{back: n*n*500 + r.Int64N(20_000)} },
		"delayed and cut": func(r *rand.Rand, n int64) fate {
			return fate{cut: n*n*1000 + r.Int64N(50_000), back: n*n*1000 + r.Int64N(50_000), delay: 5 * time.Millisecond}
		},
		"doubled": func(*rand.Rand, int64) fate { return fate{doubled: true} },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), "")
			var mu sync.Mutex
			r := rand.New(rand.NewPCG(seed, 0))
			p := newProxy(t, s.address, func(n int64) fate {
				mu.Lock()
				defer mu.Unlock()
				return plan(r, n)
			})
			s.builtin(2)
			if name != "doubled" { // a worker that is two would be two
				s.work(through(p))
			}
			storm := blow(t, []*client.Client{p.dial(), p.dial(), s.dial()}, 32)
			storm.more(1500)
			storm.calm(s)
		})
	}
}

// through runs a worker of the built-in functions behind a proxy.
func through(p *proxy) func(context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil { // the first connection may be cut before it stands
			w := link.Work{Server: p.url(), Name: "behind", Functions: all.Set(true), Parallel: 2}
			if err := w.Run(ctx); err != nil && polymath.CodeOf(err) != polymath.Unavailable && ctx.Err() == nil {
				return err
			}
		}
		return nil
	}
}

// dial connects a client, however often that takes.
func (p *proxy) dial() *client.Client {
	p.t.Helper()
	for p.t.Context().Err() == nil {
		c, err := client.Dial(p.t.Context(), p.url(), client.Options{})
		if err == nil {
			p.t.Cleanup(c.Close)
			return c
		}
	}
	p.t.Fatal("no connection came about")
	return nil
}

// TestWorkerAway: the work of a worker that is cut off for longer than a second
// runs elsewhere, and what it says later changes nothing (W8, P6).
func TestWorkerAway(t *testing.T) {
	for name, frozen := range map[string]bool{"cut": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), "")
			p := newProxy(t, s.address, func(int64) fate { return fate{} })
			var first sync.Once
			begun, finish := make(chan struct{}), make(chan struct{})
			run := func(where string) worker.Func {
				return worker.Call("where", func(ctx context.Context, _ json.RawMessage) (any, error) {
					if where == "away" {
						first.Do(func() { close(begun) })
						<-finish // it hears nothing, and finishes too late
					}
					return where, nil
				}).Silent(time.Minute)
			}
			s.work(func(ctx context.Context) error {
				return worker.Run(ctx, worker.Options{Server: p.url(), Name: "away", Parallel: 1}, run("away"))
			})
			c := s.dial()
			var id polymath.JobID
			var err error
			for {
				if id, err = c.Submit(t.Context(), client.Request{Function: "where"}); err == nil {
					break
				} else if polymath.CodeOf(err) != polymath.NotFound {
					t.Fatal(err)
				}
			}
			<-begun
			if frozen {
				p.freeze()
			} else {
				p.shut()
			}
			s.work(func(ctx context.Context) error {
				return worker.Run(ctx, worker.Options{Server: s.url(), Name: "here", Parallel: 1}, run("here"))
			})
			j, err := c.Wait(t.Context(), id)
			if err != nil || string(j.Answer) != `"here"` {
				t.Errorf("%s, %v", j.Answer, err)
			}
			p.reopen()
			close(finish)
			// Both work on: the one that was away has joined again.
			for where := ""; where != `"away"`; {
				answer, err := c.Run(t.Context(), client.Request{Function: "where"})
				if err != nil {
					t.Fatal(err)
				}
				where = string(answer)
			}
			if again, err := c.Get(t.Context(), id); err != nil || string(again.Answer) != `"here"` || again.Done != 1 {
				t.Errorf("%+v, %v", again, err)
			}
		})
	}
}
