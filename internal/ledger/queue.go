package ledger

import (
	"container/heap"
	"math/bits"

	"github.com/polymath-run/polymath"
)

// queue is the jobs of one tenant under one name, and its share of the
// workers.
//
// Shares follow start-time fair queueing (Goyal, Vin, Cheng, 1996): a queue's
// pass grows by the cost of what it is given over its weight, and the queue
// with the smallest pass is served next. One that was empty starts level with
// the queue served last: waiting without work earns nothing.
type queue struct {
	number       uint16
	tenant, name string
	weight       uint32 // >= 1
	concurrency  uint32 // leases at a time; 0: no bound
	paused       bool
	leased       uint32
	pass         uint64
	ready        []readyJobs // by the order in which functions first showed
	waiting      int         // jobs in ready
}

// readyJobs are the jobs of one function that have something to lease.
type readyJobs struct {
	function uint16
	heap     jobHeap
}

// queue finds a queue, or makes it while there are fewer than maxQueues.
func (l *Ledger) queue(tenant, name string) (*queue, error) {
	if name == "" {
		name = polymath.DefaultQueue
	}
	for _, q := range l.queues {
		if q.name == name && q.tenant == tenant {
			return q, nil
		}
	}
	if len(l.queues) >= maxQueues {
		return nil, polymath.Errorf(polymath.Overloaded, "there are already %d queues on this shard, the most it takes", maxQueues)
	}
	q := &queue{number: uint16(len(l.queues)), tenant: tenant, name: name, weight: 1}
	l.queues = append(l.queues, q)
	return q, nil
}

// heapOf is the heap of a function's ready jobs.
func (q *queue) heapOf(function uint16) *jobHeap {
	for i := range q.ready {
		if q.ready[i].function == function {
			return &q.ready[i].heap
		}
	}
	q.ready = append(q.ready, readyJobs{function: function})
	return &q.ready[len(q.ready)-1].heap
}

// best is the first job, by priority and then age, among the functions.
func (q *queue) best(functions []uint16) *job {
	var best *job
	for i := range q.ready {
		r := &q.ready[i]
		if len(r.heap) > 0 && contains(functions, r.function) && (best == nil || r.heap[0].before(best)) {
			best = r.heap[0]
		}
	}
	return best
}

func contains(sorted []uint16, f uint16) bool {
	for _, x := range sorted {
		if x >= f {
			return x == f
		}
	}
	return false
}

// open reports whether the queue may lease out more.
func (q *queue) open() bool {
	return q.waiting > 0 && !q.paused && (q.concurrency == 0 || q.leased < q.concurrency)
}

// charge books a lease of a cost to the queue.
func (l *Ledger) charge(q *queue, cost uint64) {
	const scale = 256 // so that weights divide cheap leases, too
	l.virtual = max(l.virtual, q.pass)
	hi, lo := bits.Mul64(cost+1, scale)
	if hi != 0 {
		lo = ^uint64(0)
	}
	sum, carry := bits.Add64(q.pass, max(lo/uint64(q.weight), 1), 0)
	if carry != 0 {
		sum = ^uint64(0)
	}
	q.pass = sum
	q.leased++
}

// refresh puts a job among the ready ones of its queue or takes it out, as
// its state demands. Everything that changes a job ends with it.
func (l *Ledger) refresh(j *job) {
	want := j.leasable()
	if want == (j.place >= 0) {
		return
	}
	h := j.queue.heapOf(j.function)
	if !want {
		heap.Remove(h, int(j.place))
		j.queue.waiting--
		l.ready--
		return
	}
	if j.queue.waiting == 0 {
		j.queue.pass = max(j.queue.pass, l.virtual)
	}
	heap.Push(h, j)
	j.queue.waiting++
	l.ready++
}

// jobHeap is a heap of ready jobs, the next to serve on top.
type jobHeap []*job

func (h jobHeap) Len() int           { return len(h) }
func (h jobHeap) Less(i, k int) bool { return h[i].before(h[k]) }
func (h jobHeap) Swap(i, k int) {
	h[i], h[k] = h[k], h[i]
	h[i].place, h[k].place = int32(i), int32(k)
}

// Push is for container/heap.
func (h *jobHeap) Push(x any) {
	j := x.(*job)
	j.place = int32(len(*h))
	*h = append(*h, j)
}

// Pop is for container/heap.
func (h *jobHeap) Pop() any {
	last := len(*h) - 1
	j := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	j.place = -1
	return j
}
