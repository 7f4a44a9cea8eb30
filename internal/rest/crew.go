package rest

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/service"
)

// Bounds of workers that speak HTTP.
const (
	maxHands  = 1_000                  // of them at a time
	beatPause = time.Second            // how often one that waits is said to live
	quarter   = 250 * time.Millisecond // how long a lease should take, unless told
)

// crew is the workers that speak HTTP and JSON.
//
//	node ── Route.Post ──> hand: what there is to tell ──> Exchange, when it asks
//
// What waits in a hand is bounded by the leases its slots allow. One that does
// not ask for three seconds is gone: the node closes its session, and what it
// was not told goes to others.
type crew struct {
	service *service.Service

	mu    sync.Mutex // taken with the node in hand, so never held when the node is called
	hands map[polymath.Ref]*hand
}

func newCrew(s *service.Service) *crew {
	return &crew{service: s, hands: make(map[polymath.Ref]*hand)}
}

// hand is one worker.
type hand struct {
	session   polymath.Ref
	secret    string // the end of its id, which nobody else is told
	demand    ledger.Demand
	declared  []remote.Declaration
	exchanges sync.Mutex    // held by the one exchange that is under way
	wake      chan struct{} // has a token when there is something to tell

	mu      sync.Mutex // guards what follows; taken with the node in hand
	granted []polymath.Lease
	retired []polymath.Token
	held    map[polymath.Token]polymath.Lease // told, not reported yet
	closed  bool
}

func (h *hand) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// post hears from the node.
func (h *hand) post(e node.SeatEvent) {
	h.mu.Lock()
	switch e := e.(type) {
	case node.Granted:
		h.granted = append(h.granted, e.Lease)
	case node.Retired:
		h.retire(e.Token)
	case node.Closed:
		h.closed = true
	}
	h.mu.Unlock()
	h.signal()
}

// retire takes back a lease that was not told yet, or tells that it is over.
// h.mu is held.
func (h *hand) retire(t polymath.Token) {
	for i := range h.granted {
		if h.granted[i].Token == t {
			h.granted = append(h.granted[:i], h.granted[i+1:]...)
			return
		}
	}
	if _, held := h.held[t]; held {
		delete(h.held, t)
		h.retired = append(h.retired, t)
	}
}

// Join opens a session and asks for work.
func (c *crew) Join(ctx context.Context, j *api.Join) (string, error) {
	h, err := c.newHand(j)
	if err != nil {
		return "", err
	}
	if err := c.service.Catalog().Declare(h.declared); err != nil {
		return "", err
	}
	type joined struct {
		session polymath.Ref
		err     error
	}
	told := make(chan joined, 1)
	route := &node.Route{Own: true, Post: func(s polymath.Ref, e node.SeatEvent) { c.pass(s, h, e) }}
	c.service.Node().Do(func(b *node.Batch) {
		b.Join(j.Name, route, func(s polymath.Ref, err error) {
			if err == nil {
				h.session, h.demand.Session = s, s
				c.mu.Lock()
				c.hands[s] = h
				c.mu.Unlock()
			} else {
				c.service.Catalog().Retract(h.declared)
			}
			told <- joined{s, err}
		})
	})
	select {
	case r := <-told:
		if r.err != nil {
			return "", r.err
		}
	case <-ctx.Done():
		return "", ctx.Err() // a session that opens after all is silent, and ends by itself
	case <-c.service.Node().Failed():
		return "", polymath.Errorf(polymath.Unavailable, "the server is stopping")
	}
	demand := h.demand
	if _, err := c.service.Node().Propose(ctx, &demand); err != nil {
		return "", err
	}
	return sessionID(c.shard(), h.session) + secretMark + h.secret, nil
}

// newHand is what a worker says of itself.
func (c *crew) newHand(j *api.Join) (*hand, error) {
	c.mu.Lock()
	crowded := len(c.hands) >= maxHands
	c.mu.Unlock()
	if crowded {
		return nil, polymath.Errorf(polymath.Overloaded, "there are %d workers that speak HTTP already: try again later", maxHands)
	}
	h := &hand{secret: rand.Text(), wake: make(chan struct{}, 1), held: make(map[polymath.Token]polymath.Lease)}
	h.demand.Slots, h.demand.Micros = j.Slots, uint64(quarter.Microseconds())
	if j.Seconds > 0 {
		h.demand.Micros = uint64(max(seconds(j.Seconds).Microseconds(), 1))
	}
	for i := range j.Functions {
		d := &j.Functions[i]
		h.demand.Functions = append(h.demand.Functions, d.Name)
		if d.Kind == "" {
			if _, err := c.service.Catalog().Get(d.Name); err != nil {
				return nil, invalid("function %q is not known here: say its kind, and for a range its reducer", d.Name)
			}
			continue
		}
		h.declared = append(h.declared, remote.Declaration{
			Name: d.Name, Summary: d.Summary, Kind: remote.Kind(d.Kind), Reducer: reducerOf(d.Reducer),
			Micros: uint64(d.Micros), LongestRun: d.LongestRun,
		})
	}
	return h, nil
}

// reducerOf reads the name of a reducer; collect for none.
func reducerOf(name string) polymath.Reducer {
	for _, r := range polymath.Reducers() {
		if r.String() == name {
			return r
		}
	}
	return polymath.Collect
}

// pass hears from the node, and forgets a hand that is gone.
func (c *crew) pass(session polymath.Ref, h *hand, e node.SeatEvent) {
	if _, over := e.(node.Closed); over {
		c.mu.Lock()
		delete(c.hands, session)
		c.mu.Unlock()
		c.service.Catalog().Retract(h.declared)
	}
	h.post(e)
}

func (c *crew) shard() uint8 { return 0 }

// secretMark stands between what lists call a worker and its secret.
const secretMark = "."

// sessionID is how a session is called outside: as a token is. Where sessions
// are opened can be guessed, so that this alone lets nobody speak for a worker.
func sessionID(shard uint8, session polymath.Ref) string {
	return polymath.Token{Shard: shard, Ref: session}.String()
}

// LoggedPath is the path of a request without the secret of a worker, for logs.
func LoggedPath(r *http.Request) string {
	const workers = "/v1/workers/"
	id, ours := strings.CutPrefix(r.URL.Path, workers)
	if !ours {
		return r.URL.Path
	}
	id, call, more := strings.Cut(id, "/")
	name, _, secret := strings.Cut(id, secretMark)
	if secret {
		name += secretMark + "***"
	}
	if more {
		name += "/" + call
	}
	return workers + name
}

// find finds the worker that has an id, the secret included.
func (c *crew) find(id string) (*hand, error) {
	over := polymath.Errorf(polymath.NotFound, "there is no worker %.80q here, or its session is over: join again", id)
	name, secret, _ := strings.Cut(id, secretMark)
	t, err := polymath.ParseToken(name)
	if err != nil {
		return nil, over
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hands[t.Ref]
	if h == nil || t.Shard != c.shard() || subtle.ConstantTimeCompare([]byte(secret), []byte(h.secret)) != 1 {
		return nil, over
	}
	return h, nil
}

// Leave ends a session.
func (c *crew) Leave(ctx context.Context, id string) error {
	h, err := c.find(id)
	if err != nil {
		return err
	}
	_, err = c.service.Node().Propose(ctx, &ledger.Close{Session: h.session})
	return err
}

// Workers lists all workers, those of other faces as well.
func (c *crew) Workers(context.Context) (api.WorkerList, error) {
	list := api.WorkerList{Items: []api.Worker{}}
	for _, w := range c.service.Node().Workers() {
		out := api.Worker{
			ID: sessionID(c.shard(), w.Session), Name: w.Name, Local: w.Local, Rejoining: w.Away, Functions: append([]string{}, w.Functions...),
			Slots: w.Slots, Leases: []api.Held{}, Silent: w.Silent.Seconds(),
		}
		for _, l := range w.Leases {
			out.Leases = append(out.Leases, api.Held{
				Token: l.Token.String(), Job: l.Job.String(), From: api.Count(l.Interval.From), To: api.Count(l.Interval.To),
			})
		}
		list.Items = append(list.Items, out)
	}
	return list, nil
}

// clip cuts the text of a failure to what is kept of it.
func clip(text string) string {
	if len(text) > polymath.MaxErrorBytes {
		text = text[:polymath.MaxErrorBytes]
	}
	return strings.ToValidUTF8(text, "")
}
