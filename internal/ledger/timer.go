package ledger

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/polymath-run/polymath"
)

// Bounds of what timers take.
const (
	maxRings = 10_000 // timers rung by one Tick, and keys dropped; NextTick asks for another
	minStale = 1000   // timers of jobs that are gone, before they are swept out
)

type timerKind uint8

const (
	timerStart    timerKind = 1 // a job's not-before
	timerDeadline timerKind = 2
	timerRetry    timerKind = 3 // a failed interval's wait is over
)

// timer is something to do at a time. One whose job or interval is gone by
// then does nothing. The heap is not part of an image: jobs know their times.
type timer struct {
	due  int64 // Unix milliseconds
	kind timerKind
	job  polymath.Ref
	from uint64 // timerRetry: where the interval begins
}

// looseTimer is a failed interval whose wait no Tick has begun yet.
type looseTimer struct {
	job  polymath.Ref
	from uint64
}

// timerHeap has the next timer on top; ties have one order on all replicas.
type timerHeap []timer

func (h timerHeap) Len() int      { return len(h) }
func (h timerHeap) Swap(i, k int) { h[i], h[k] = h[k], h[i] }
func (h timerHeap) Less(i, k int) bool {
	a, b := &h[i], &h[k]
	c := cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.kind, b.kind), a.job.Compare(b.job), cmp.Compare(a.from, b.from))
	return c < 0
}

// Push is for container/heap.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(timer)) }

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = (*h)[:last]
	return t
}

func (h *timerHeap) add(t timer) { heap.Push(h, t) }

// NextTick is the Unix millisecond at which the ledger wants a Tick: 0 for
// never, 1 for as soon as may be (a wait begins when a Tick tells the time).
func (l *Ledger) NextTick() int64 {
	due := l.keys.nextDue(l.now)
	switch {
	case len(l.loose) > 0:
		return 1
	case len(l.timers) > 0 && (due == 0 || l.timers[0].due < due):
		return max(l.timers[0].due, 1)
	default:
		return due
	}
}

func (t *Tick) apply(l *Ledger, fx *Effects) Answer {
	if ans, old := l.stale(t.Term); old {
		return ans
	}
	if t.Now <= 0 || t.Now > maxDelay {
		return refused(polymath.InvalidArgument, "%d is no time in Unix milliseconds", t.Now)
	}
	l.now = max(l.now, t.Now)
	l.anchor()
	l.keys.expire(l.now, maxRings)
	for n := 0; n < maxRings && len(l.timers) > 0 && l.timers[0].due <= l.now; n++ {
		l.ring(heap.Pop(&l.timers).(timer), fx)
	}
	return Answer{}
}

// anchor begins the waits that had no beginning.
func (l *Ledger) anchor() {
	for _, t := range l.loose {
		j := l.get(t.job)
		if j == nil {
			continue
		}
		if f := j.failedAt(t.from, dueLoose); f != nil {
			l.edit(j)
			f.due = l.now + f.wait
			l.timers.add(timer{due: f.due, kind: timerRetry, job: t.job, from: t.from})
		}
	}
	l.loose = l.loose[:0]
	l.keys.anchor(l.now)
}

// failedAt finds a failed interval by where it begins and when it is due.
func (j *job) failedAt(from uint64, due int64) *failed {
	if j.run == nil {
		return nil
	}
	for i := range j.run.failed {
		if f := &j.run.failed[i]; f.interval.From == from && f.due == due {
			return f
		}
	}
	return nil
}

// dropTimers reckons with the timers of a job that is gone. They stay until
// they ring, or until they are more than those that are of use.
func (l *Ledger) dropTimers(j *job) {
	if x := j.extra; x != nil && (x.deadline != 0 || j.delayed) {
		l.waste += 2
	}
	if j.run != nil {
		l.waste += len(j.run.failed)
	}
	if l.waste < minStale+(len(l.timers)+len(l.loose))/2 {
		return
	}
	l.waste = 0
	l.loose = slices.Clone(slices.DeleteFunc(l.loose, func(t looseTimer) bool {
		j := l.get(t.job)
		return j == nil || j.failedAt(t.from, dueLoose) == nil
	}))
	l.timers = slices.Clone(slices.DeleteFunc(l.timers, func(t timer) bool {
		j := l.get(t.job)
		return j == nil || (t.kind == timerRetry && j.failedAt(t.from, t.due) == nil)
	}))
	heap.Init(&l.timers)
}

// ring does what a timer is for.
func (l *Ledger) ring(t timer, fx *Effects) {
	j := l.get(t.job)
	if j == nil {
		return
	}
	l.edit(j)
	switch t.kind {
	case timerStart:
		j.delayed = false
	case timerDeadline:
		l.finish(j, polymath.Failed, polymath.Timeout, "the deadline passed before the job was finished", fx)
		return
	case timerRetry:
		if f := j.failedAt(t.from, t.due); f != nil {
			f.due = dueNow
		}
	}
	l.refresh(j)
}

func (p *Prune) apply(l *Ledger, fx *Effects) Answer {
	if ans, old := l.stale(p.Term); old {
		return ans
	}
	fx.Prune = max(fx.Prune, p.Before)
	return Answer{}
}
