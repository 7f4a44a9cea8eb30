package node

import (
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// WorkerInfo is a worker session: what it offers, what it holds and how it is.
type WorkerInfo struct {
	Session polymath.Ref
	Node    string // where it is, or came in
	Name    string
	Local   bool // it lives in the node's process
	// Away: there is no way to it now, because its connection broke or the
	// node was started again. It comes back and is heard of, or is gone soon.
	Away      bool
	Functions []string
	Slots     uint32 // leases it can hold at a time
	Leases    []ledger.Held
	Silent    time.Duration // since it was last heard of, or since the node began
	Speeds    []Speed       // of the functions it has run
}

// Speed is how fast a worker runs a function: so many times as fast as the
// reference core of the function's cost table.
type Speed struct {
	Function string
	Factor   float64
}

// Workers lists the worker sessions that are open, oldest first. The node goes
// on between pages of them, so that the picture of one worker may be a moment
// older than that of the next.
func (n *Node) Workers() []WorkerInfo {
	var all []WorkerInfo
	var last polymath.Ref
	for more := true; more; {
		n.do(func(c *Core) {
			var page []ledger.WorkerInfo
			page, more = c.ledger.Workers(last)
			now := c.cfg.Clock.Now()
			for i := range page {
				info := c.keep.worker(&page[i], now)
				info.Away = !info.Local && n.routes[info.Session] == nil
				all = append(all, info)
				last = page[i].Session
			}
		})
	}
	return all
}

// worker adds what only the timekeeper knows.
func (k *keeper) worker(w *ledger.WorkerInfo, now time.Duration) WorkerInfo {
	info := WorkerInfo{
		Session: w.Session, Node: w.Node, Name: w.Name, Local: w.Local,
		Functions: w.Functions, Slots: w.Slots, Leases: w.Held,
	}
	if b := k.beats[w.Session]; b != nil {
		info.Silent = now - b.seen
	}
	for _, r := range w.Rates {
		info.Speeds = append(info.Speeds, Speed{r.Function, float64(r.Value) / ledger.RateOne})
	}
	return info
}

// Functions lists the functions that a job or a worker names.
func (n *Node) Functions() (all []ledger.FunctionInfo) {
	n.do(func(c *Core) { all = c.ledger.Functions() })
	return all
}
