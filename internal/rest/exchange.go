package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// report is the end of a lease, as a command.
type report struct {
	token string
	cmd   ledger.Command // nil: refused already
	err   error
}

// Exchange takes reports, waits until they are durable, and then for work.
func (c *crew) Exchange(ctx context.Context, id string, x *api.Exchange, enough <-chan struct{}) (api.Assignment, error) {
	a := api.Assignment{Leases: []api.Lease{}, Retired: []string{}, Refused: []api.Refusal{}}
	h, err := c.find(id)
	if err != nil {
		return a, err
	}
	if !h.exchanges.TryLock() {
		return a, polymath.Errorf(polymath.Conflict, "another exchange of worker %s is under way: one at a time", id)
	}
	defer h.exchanges.Unlock()
	if err := c.want(ctx, h, x.Slots); err != nil {
		return a, err
	}
	reports := c.reports(h, x)
	if err := c.tell(ctx, h, x, reports); err != nil {
		return a, err
	}
	for _, r := range reports {
		if r.err != nil {
			a.Refused = append(a.Refused, api.Refusal{Token: r.token, Error: problemOf(r.err)})
		}
	}
	if x.Holding != nil {
		h.again(*x.Holding)
	}
	err = c.await(ctx, h, &a, enough)
	return a, err
}

// reports makes commands of what the worker says of its leases. Of several
// reports of one lease the first that can be taken counts: commands that are
// proposed together may arrive in any order.
func (c *crew) reports(h *hand, x *api.Exchange) []report {
	var out []report
	taken := make(map[string]bool)
	add := func(token string, command func(polymath.Lease) (ledger.Command, error)) {
		r := report{token: token}
		var lease polymath.Lease
		switch lease, r.err = h.report(token); {
		case r.err != nil:
		case taken[token]:
			r.err = polymath.Errorf(polymath.StaleToken, "lease %s was reported before in this exchange: the first report counts", token)
		default:
			r.cmd, r.err = command(lease)
			taken[token] = r.err == nil
		}
		out = append(out, r)
	}
	for i := range x.Complete {
		k := &x.Complete[i]
		add(k.Token, func(l polymath.Lease) (ledger.Command, error) {
			output, err := outputOf(k, &l, h.kind(l.Function))
			if err == nil {
				if err := c.service.CheckOutput(&l, output); err != nil {
					return &ledger.Fail{Token: l.Token, Error: clip(err.Error())}, nil
				}
			}
			return &ledger.Complete{Token: l.Token, Output: output, Micros: uint64(seconds(k.Seconds).Microseconds())}, err
		})
	}
	for i := range x.Fail {
		k := &x.Fail[i]
		add(k.Token, func(l polymath.Lease) (ledger.Command, error) {
			return &ledger.Fail{Token: l.Token, Error: clip(k.Error)}, nil
		})
	}
	for _, token := range x.Release {
		add(token, func(l polymath.Lease) (ledger.Command, error) { return &ledger.Release{Token: l.Token}, nil })
	}
	return out
}

// report finds the lease a worker reports on.
func (h *hand) report(token string) (polymath.Lease, error) {
	t, err := polymath.ParseToken(token)
	if err != nil {
		return polymath.Lease{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	l, held := h.held[t]
	if !held {
		return l, polymath.Errorf(polymath.StaleToken, "lease %s is over, or is not this worker's", token)
	}
	return l, nil
}

// release forgets a lease that was reported.
func (h *hand) release(t polymath.Token) {
	h.mu.Lock()
	delete(h.held, t)
	h.mu.Unlock()
}

// again has leases told again that a worker does not know it has.
func (h *hand) again(holding []string) {
	known := make(map[string]bool, len(holding))
	for _, token := range holding {
		known[token] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for token, lease := range h.held {
		if !known[token.String()] {
			delete(h.held, token)
			h.granted = append(h.granted, lease)
		}
	}
}

// outputOf is an output in the form the ledger takes.
func outputOf(k *api.Complete, l *polymath.Lease, kind remote.Kind) ([]byte, error) {
	output := []byte(k.Output)
	if k.Values != nil {
		if k.Output != "" {
			return nil, invalid("give an output or values, not both")
		}
		if uint64(len(k.Values)) != l.Interval.Len() {
			return nil, invalid("%d values were given for %d units", len(k.Values), l.Interval.Len())
		}
		if kind != remote.Call && kind != remote.List {
			return nil, invalid("function %s has no values: give an output", l.Function)
		}
		for i, v := range k.Values {
			output = appendValue(output, kind, l.Interval.From+uint64(i), v)
		}
	}
	if len(output) > polymath.MaxInlineBytes {
		return nil, polymath.Errorf(polymath.TooLarge, "the output has %d bytes, more than %d: fail the lease, or return less", len(output), polymath.MaxInlineBytes)
	}
	return output, nil
}

// appendValue adds the value of a unit: a call has one, a list a line each.
func appendValue(output []byte, kind remote.Kind, unit uint64, v json.RawMessage) []byte {
	var compact bytes.Buffer
	if err := json.Compact(&compact, v); err != nil {
		panic("rest: what was read as JSON is none: " + err.Error())
	}
	if kind == remote.Call {
		return append(output, compact.Bytes()...)
	}
	return remote.Line(output, unit, compact.Bytes())
}

// kind is what the worker declared a function to be; "" for one the server
// has itself.
func (h *hand) kind(name string) remote.Kind {
	for i := range h.declared {
		if h.declared[i].Name == name {
			return h.declared[i].Kind
		}
	}
	return ""
}

// want asks for as many leases at a time from now on. It returns when that is
// durable: of two demands under way the older might be taken last, and work
// submitted after the answer be granted by the demand before.
func (c *crew) want(ctx context.Context, h *hand, slots *uint32) error {
	if slots == nil {
		return nil
	}
	h.demand.Slots = *slots
	demand := h.demand
	_, err := c.service.Node().Propose(ctx, &demand)
	return err
}

// tell passes on what the worker says, and returns when the reports are
// durable or refused.
func (c *crew) tell(ctx context.Context, h *hand, x *api.Exchange, reports []report) error {
	done := make(chan int, len(reports))
	errs := make([]error, len(reports))
	under := 0
	var beat error
	c.service.Node().Do(func(b *node.Batch) {
		if beat = b.Beat(h.session); beat != nil {
			return
		}
		for i := range x.Progress {
			if l, err := h.report(x.Progress[i].Token); err == nil {
				b.Progress(l.Token, min(uint64(x.Progress[i].Done), l.Interval.Len()))
			}
		}
		for i, r := range reports {
			if r.err == nil {
				under++
				b.Propose(r.cmd, func(a ledger.Answer) {
					errs[i] = a.Err
					done <- i
				})
			}
		}
	})
	if beat != nil {
		return beat
	}
	for range under {
		select {
		case i := <-done:
			reports[i].err = errs[i]
			if t, err := polymath.ParseToken(reports[i].token); err == nil && settled(errs[i]) {
				h.release(t)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-c.service.Node().Failed():
			return polymath.Errorf(polymath.Unavailable, "the server is stopping")
		}
	}
	return nil
}

// settled reports whether there is no use in reporting again.
func settled(err error) bool {
	code := polymath.CodeOf(err)
	return err == nil || code == polymath.StaleToken
}

// await waits until there is something to tell.
func (c *crew) await(ctx context.Context, h *hand, a *api.Assignment, enough <-chan struct{}) error {
	beat := time.NewTicker(beatPause)
	defer beat.Stop()
	for {
		closed := h.take(a)
		if closed && len(a.Refused) == 0 {
			return polymath.Errorf(polymath.NotFound, "the session is over: join again")
		}
		if closed || len(a.Leases)+len(a.Retired)+len(a.Refused) > 0 {
			c.begin(a)
			return nil
		}
		select {
		case <-h.wake:
		case <-beat.C:
			c.service.Node().Do(func(b *node.Batch) { _ = b.Beat(h.session) }) // its end would be told
		case <-enough:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-c.service.Node().Failed():
			return polymath.Errorf(polymath.Unavailable, "the server is stopping")
		}
	}
}

// take moves what there is to tell into an assignment.
func (h *hand) take(a *api.Assignment) (closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.granted {
		l := &h.granted[i]
		h.held[l.Token] = *l
		a.Leases = append(a.Leases, api.Lease{
			Token: l.Token.String(), Job: l.Job.String(), Function: l.Function, Input: l.Input,
			From: api.Count(l.Interval.From), To: api.Count(l.Interval.To), Attempt: l.Attempt,
			Seconds: float64(l.Micros) / 1e6, LongestRun: l.LongestRun, Speculative: l.Speculative,
		})
	}
	for _, t := range h.retired {
		a.Retired = append(a.Retired, t.String())
	}
	h.granted, h.retired = nil, nil
	return h.closed
}

// begin says that work on what is told begins, so that it is not taken for
// lost on the way.
func (c *crew) begin(a *api.Assignment) {
	c.service.Node().Do(func(b *node.Batch) {
		for i := range a.Leases {
			if t, err := polymath.ParseToken(a.Leases[i].Token); err == nil {
				b.Progress(t, 0)
			}
		}
	})
}
