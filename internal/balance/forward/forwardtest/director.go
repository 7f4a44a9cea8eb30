package forwardtest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// Director takes upstreams in turn, and holds forwarders to the laws of
// forward.Director: Begin and End in pairs, for each upstream picked one Done,
// and nothing said of an exchange that is over.
type Director struct {
	Upstreams []*forward.Upstream
	Refuse    func(x *forward.Exchange) *forward.Refusal // nil refuses nobody
	Again     func(x *forward.Exchange, r forward.Result) bool
	After     func(x *forward.Exchange) time.Duration
	Ended     func(x *forward.Exchange) // called by End, where not nil
	Doubted   []int                     // of exchanges that are Again; by default some, which nobody tries again
	Nobody    func(x *forward.Exchange) bool

	t     testing.TB
	turn  atomic.Uint64
	begun atomic.Int64
	ended atomic.Int64

	mu    sync.Mutex
	kinds map[forward.Kind]int
	idle  chan struct{} // closed and made again at each End
}

// NewDirector makes one for some upstreams. When the test ends, every exchange
// must have ended.
func NewDirector(t testing.TB, upstreams ...*forward.Upstream) *Director {
	return &Director{
		Upstreams: upstreams, Doubted: []int{400, 404, 500, 502, 503, 504, 599},
		t: t, kinds: map[forward.Kind]int{}, idle: make(chan struct{}),
	}
}

// record is what the Director keeps in Exchange.Data.
type record struct {
	open    bool
	picked  []*forward.Upstream
	pending int
	busy    atomic.Int32 // calls under way: a forwarder makes one at a time
}

// enter finds the record of an exchange and says that a call is under way.
func (d *Director) enter(x *forward.Exchange, call string) (r *record, leave func()) {
	r, _ = x.Data.(*record)
	if r == nil {
		r = &record{}
		x.Data = r
	}
	if r.busy.Add(1) != 1 {
		d.t.Errorf("Director.%s: two calls for one exchange at once", call)
	}
	if !r.open && call != "Begin" {
		d.t.Errorf("Director.%s: the exchange has not begun, or is over", call)
	}
	return r, func() { r.busy.Add(-1) }
}

// Begin implements forward.Director.
func (d *Director) Begin(x *forward.Exchange) *forward.Refusal {
	r, leave := d.enter(x, "Begin")
	defer leave()
	if r.open {
		d.t.Errorf("Director.Begin: the exchange before has not ended")
	}
	if x.Method == "" || !x.Client.IsValid() || x.Scheme == "" || x.Facts == nil || x.Attempts != 0 || len(x.Fields) != 0 {
		d.t.Errorf("Director.Begin: incomplete or used exchange: %+v", x)
	}
	r.open, r.picked, r.pending = true, r.picked[:0], 0
	d.begun.Add(1)
	if x.Again {
		x.Doubted = d.Doubted
	}
	if d.Refuse != nil {
		return d.Refuse(x)
	}
	return nil
}

// Pick implements forward.Director.
func (d *Director) Pick(x *forward.Exchange) *forward.Upstream {
	r, leave := d.enter(x, "Pick")
	defer leave()
	if x.Attempts == forward.MaxAttempts || len(d.Upstreams) == 0 || d.Nobody != nil && d.Nobody(x) {
		x.Refusal = forward.Nobody()
		return nil
	}
	u := d.Upstreams[d.turn.Add(1)%uint64(len(d.Upstreams))]
	x.Tried[x.Attempts] = u
	x.Attempts++
	r.picked = append(r.picked, u)
	r.pending++
	return u
}

// Done implements forward.Director.
func (d *Director) Done(x *forward.Exchange, u *forward.Upstream, res forward.Result) {
	r, leave := d.enter(x, "Done")
	defer leave()
	for i, p := range r.picked {
		if p == u {
			r.picked[i] = nil
			r.pending--
			d.mu.Lock()
			d.kinds[res.Kind]++
			d.mu.Unlock()
			if res.Kind == forward.Answered && res.Status < 100 {
				d.t.Errorf("Director.Done: answered without a status: %+v", res)
			}
			return
		}
	}
	d.t.Errorf("Director.Done: %s was not picked, or is done: %+v", u.Name, res)
}

// Retry implements forward.Director.
func (d *Director) Retry(x *forward.Exchange, res forward.Result) bool {
	r, leave := d.enter(x, "Retry")
	defer leave()
	answered := res.Kind == forward.Answered
	if answered && !slices.Contains(x.Doubted, res.Status) {
		d.t.Errorf("Director.Retry: asked about a %d, which is not doubted", res.Status)
	}
	if answered && r.pending != 1 || !answered && r.pending != 0 || x.Status != 0 {
		d.t.Errorf("Director.Retry: asked about %+v with %d attempts under way and a client that was told %d", res, r.pending, x.Status)
	}
	return d.Again != nil && d.Again(x, res)
}

// Hedge implements forward.Director.
func (d *Director) Hedge(x *forward.Exchange) time.Duration {
	_, leave := d.enter(x, "Hedge")
	defer leave()
	if !x.Again || x.Attempts != 0 {
		d.t.Errorf("Director.Hedge: asked for %s after %d attempts", x.Method, x.Attempts)
	}
	if d.After == nil {
		return 0
	}
	return d.After(x)
}

// End implements forward.Director.
func (d *Director) End(x *forward.Exchange) {
	r, leave := d.enter(x, "End")
	if r.pending != 0 {
		d.t.Errorf("Director.End: %d attempts are not done", r.pending)
	}
	r.open = false
	if d.Ended != nil {
		d.Ended(x)
	}
	leave()
	d.mu.Lock()
	d.ended.Add(1)
	close(d.idle)
	d.idle = make(chan struct{})
	d.mu.Unlock()
}

// Count tells how many attempts ended in this way.
func (d *Director) Count(k forward.Kind) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kinds[k]
}

// Counted waits until so many attempts have ended in this way.
func (d *Director) Counted(t testing.TB, k forward.Kind, n int) {
	limit := time.After(patience)
	for d.Count(k) < n {
		select {
		case <-limit:
			t.Errorf("%d attempts have ended as %d after %v, not %d", d.Count(k), k, patience, n)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Settled waits until every exchange that began has ended.
func (d *Director) Settled(t testing.TB) {
	t.Helper()
	d.wait(t, func() bool { return d.begun.Load() == d.ended.Load() })
}

// Over waits until so many exchanges have ended, and no other is open.
func (d *Director) Over(t testing.TB, n int) {
	t.Helper()
	d.wait(t, func() bool { return d.ended.Load() >= int64(n) && d.begun.Load() == d.ended.Load() })
}

func (d *Director) wait(t testing.TB, over func() bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		d.mu.Lock()
		idle := d.idle
		d.mu.Unlock()
		if over() {
			return
		}
		select {
		case <-idle:
		case <-limit:
			t.Fatalf("%d exchanges have begun and %d have ended after %v", d.begun.Load(), d.ended.Load(), patience)
		}
	}
}
