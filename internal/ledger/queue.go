package ledger

import (
	"container/heap"
	"slices"

	"github.com/polymath-run/polymath"
)

// queue is the jobs of one tenant under one name, and its share of the
// workers.
//
// Shares follow start-time fair queueing (Goyal, Vin, Cheng, 1996): a queue's
// pass grows by the cost of what it is given over its weight, and the queue
// with the smallest pass is served next. One that had no job, was not open or
// found no worker for its jobs starts level with the queue served last:
// waiting like that earns nothing.
type queue struct {
	queueName
	number      int    // place in Ledger.queues
	weight      uint32 // >= 1
	concurrency uint32 // leases at a time; 0: no bound
	paused      bool
	jobs        uint64 // unfinished
	letters     uint64 // dead ones, as far as Discard has told
	leased      uint32
	pass        uint64
	offers      []*offer // one for each function with jobs to lease, and a few more
	waiting     int      // jobs in offers
}

type queueName struct{ tenant, name string }

// keptOffers is how many offers a queue keeps for the jobs to come.
const keptOffers = 16

// offer is the jobs of one function that a queue has something to lease of.
type offer struct {
	queue    *queue
	function uint16
	jobs     ready
	place    int // in function.open, -1: not there
}

// queue finds a queue, or makes it while there are fewer than maxQueues in
// use.
func (l *Ledger) queue(tenant, name string) (*queue, error) {
	if name == "" {
		name = polymath.DefaultQueue
	}
	if q := l.latest; q != nil && q.name == name && q.tenant == tenant {
		return q, nil
	}
	key := queueName{tenant, name}
	if q := l.queueNames[key]; q != nil {
		l.latest = q
		return q, nil
	}
	if len(l.queues) >= maxQueues {
		l.dropQueues()
	}
	if len(l.queues) >= maxQueues {
		return nil, polymath.Errorf(polymath.Overloaded, "%d queues are in use, the most this server takes", maxQueues)
	}
	q := &queue{queueName: key, number: len(l.queues), weight: 1}
	l.queues = append(l.queues, q)
	l.queueNames[key] = q
	return q, nil
}

// dropQueues forgets the queues without jobs, dead letters and settings. One that comes
// back may be one lease ahead of its share.
func (l *Ledger) dropQueues() {
	l.latest = nil
	l.queues = slices.DeleteFunc(l.queues, func(q *queue) bool {
		unused := q.jobs == 0 && q.letters == 0 && q.weight == 1 && q.concurrency == 0 && !q.paused
		if unused {
			delete(l.queueNames, q.queueName)
		}
		return unused
	})
	for i, q := range l.queues { // their order stays, and so do the heaps
		q.number = i
	}
}

// before is the order in which queues are served.
func (q *queue) before(o *queue) bool {
	if q.pass != o.pass {
		return q.pass < o.pass
	}
	return q.number < o.number
}

// offer is the queue's offer of a function, made when there is none.
func (q *queue) offer(function uint16) *offer {
	for _, o := range q.offers {
		if o.function == function {
			return o
		}
	}
	o := &offer{queue: q, function: function, place: -1}
	q.offers = append(q.offers, o)
	return o
}

// best is the first job, by priority and then age, among the functions.
func (q *queue) best(functions []uint16) *job {
	var best *job
	for _, o := range q.offers {
		if o.jobs.len() == 0 || !contains(functions, o.function) {
			continue
		}
		if first := o.jobs.first(); best == nil || first.before(best) {
			best = first
		}
	}
	return best
}

func contains(sorted []uint16, f uint16) bool {
	_, ok := slices.BinarySearch(sorted, f)
	return ok
}

// open reports whether the queue may lease out more.
func (q *queue) open() bool { return q.waiting > 0 && q.mayLease() }

// mayLease reports whether the queue's settings allow another lease.
func (q *queue) mayLease() bool {
	return !q.paused && (q.concurrency == 0 || q.leased < q.concurrency)
}

// Bounds of the arithmetic of passes.
const (
	passScale = 256     // so that weights divide cheap leases, too
	maxCharge = 1 << 48 // microseconds charged for one lease: nine years
	maxPass   = 1 << 62 // where passes begin from 0 again
)

// charge books a lease of a cost to the queue.
func (l *Ledger) charge(q *queue, cost uint64) {
	l.virtual = max(l.virtual, q.pass)
	q.pass = l.virtual + max(min(cost, maxCharge)*passScale/uint64(q.weight), 1)
	q.leased++
	if l.virtual < maxPass {
		l.relist(q)
		return
	}
	for _, q := range l.queues {
		q.pass -= min(q.pass, l.virtual)
	}
	l.virtual = 0
	for _, f := range l.functions {
		heap.Init(&f.open)
	}
	l.relist(q)
}

// refresh puts a job among the ready ones of its queue or takes it out, as
// its state demands. Everything that changes a job ends with it.
func (l *Ledger) refresh(j *job) {
	want := j.leasable()
	if want == (j.place != nowhere) {
		return
	}
	q := j.queue
	o := q.offer(j.function)
	if want {
		if q.waiting == 0 {
			q.pass = max(q.pass, l.virtual)
		}
		o.jobs.add(j)
		q.waiting++
	} else {
		o.jobs.remove(j)
		q.waiting--
	}
	l.list(o, q.open())
	if o.jobs.len() == 0 && len(q.offers) > keptOffers {
		i := slices.Index(q.offers, o)
		q.offers = slices.Delete(q.offers, i, i+1)
	}
}
