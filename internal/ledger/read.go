package ledger

import (
	"container/heap"
	"slices"

	"github.com/polymath-run/polymath"
)

// Readers run between entries, in the way of the next one: each is bounded to
// what takes about a millisecond. What they return shares nothing with the
// ledger that a later entry changes.

// MaxScan bounds the jobs that one page looks at. A filter that few jobs pass
// gives short pages.
const MaxScan = 4096

// Job reads one unfinished job; false when the ledger holds none of that id.
func (l *Ledger) Job(id polymath.JobID) (polymath.Job, bool) {
	if j := l.own(id); j != nil {
		return l.view(j), true
	}
	return polymath.Job{}, false
}

// own finds an unfinished job by its id, or nil.
func (l *Ledger) own(id polymath.JobID) *job {
	if id.Shard != l.shard {
		return nil
	}
	return l.get(id.Ref)
}

// Find looks through all unfinished jobs for the oldest that matches. It
// takes time in their number and is for the command line, not for requests.
func (l *Ledger) Find(match func(*polymath.Job) bool) (polymath.Job, bool) {
	var oldest *job
	for i := range l.buckets {
		for _, j := range l.buckets[i].all {
			if oldest != nil && oldest.ref.Compare(j.ref) < 0 {
				continue
			}
			if v := l.view(j); match(&v) {
				oldest = j
			}
		}
	}
	if oldest == nil {
		return polymath.Job{}, false
	}
	return l.view(oldest), true
}

// JobFilter chooses jobs; its zero fields choose all.
type JobFilter struct {
	Tenant, Function, Queue string
	State                   polymath.State
}

// JobPage is some unfinished jobs, those submitted last first, without their
// Results, which may be large.
type JobPage struct {
	Jobs []polymath.Job
	// Next is the ID to go on after; zero at the end. Every job up to it that
	// passes the filter is in this page or one before.
	Next polymath.JobID
}

// Jobs returns at most limit unfinished jobs that were submitted before the
// job named by after; the zero JobID begins with the newest. With a filter a
// page may be short, or empty, and still have a Next.
func (l *Ledger) Jobs(after polymath.JobID, limit int, f JobFilter) JobPage {
	var page JobPage
	if !l.some(f) {
		return page
	}
	heads := l.heads(after.Ref)
	for seen := 1; len(heads) > 0; seen++ {
		j := heads[0].job
		if f.matches(l, j) {
			page.Jobs = append(page.Jobs, l.outline(j))
		}
		l.advance(&heads)
		if (len(page.Jobs) >= limit || seen == MaxScan) && len(heads) > 0 {
			page.Next = l.jobID(j.ref)
			break
		}
	}
	return page
}

// some reports whether any job can pass a filter: asking for what is not there
// should not cost a walk over all that is.
func (l *Ledger) some(f JobFilter) bool {
	if f.State.Final() || l.jobs == 0 {
		return false
	}
	if f.Function != "" {
		if n, known := l.names[f.Function]; !known || l.functions[n].jobs == 0 {
			return false
		}
	}
	if f.Tenant != "" && f.Queue != "" {
		q := l.queueNames[queueName{f.Tenant, f.Queue}]
		return q != nil && q.jobs > 0
	}
	return true
}

func (f *JobFilter) matches(l *Ledger, j *job) bool {
	return (f.State == 0 || f.State == j.state()) &&
		(f.Function == "" || f.Function == l.functions[j.function].name) &&
		(f.Queue == "" || f.Queue == j.queue.name) &&
		(f.Tenant == "" || f.Tenant == j.queue.tenant)
}

// head is the newest job of one bucket that a reader has not had, and its
// place there.
type head struct {
	job    *job
	ref    polymath.Ref // of job, at hand for comparisons
	bucket int
	at     int
}

// heads is a heap of them, the newest on top.
type heads []head

// heads begins a walk over the jobs before a ref, from the newest; zero: all.
func (l *Ledger) heads(before polymath.Ref) heads {
	h := make(heads, 0, bucketCount)
	for i := range l.buckets {
		b := &l.buckets[i]
		n := len(b.all)
		if !before.IsZero() {
			n, _ = b.find(before)
		}
		if n > 0 {
			j := b.all[n-1]
			h = append(h, head{job: j, ref: j.ref, bucket: i, at: n - 1})
		}
	}
	heap.Init(&h)
	return h
}

// advance takes the newest job off.
func (l *Ledger) advance(h *heads) {
	top := &(*h)[0]
	if top.at == 0 {
		heap.Pop(h)
		return
	}
	top.at--
	top.job = l.buckets[top.bucket].all[top.at]
	top.ref = top.job.ref
	heap.Fix(h, 0)
}

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, k int) bool { return h[i].ref.Compare(h[k].ref) > 0 }
func (h heads) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }

// Push is for container/heap, which Jobs never asks for it.
func (h *heads) Push(x any) { *h = append(*h, x.(head)) }

// Pop is for container/heap.
func (h *heads) Pop() any {
	last := len(*h) - 1
	top := (*h)[last]
	*h = slices.Delete(*h, last, last+1)
	return top
}

// Stats is the size of a shard.
type Stats struct {
	Jobs     uint64 // unfinished
	MaxJobs  uint64
	Bytes    uint64 // of their inputs, cost tables and answers so far
	MaxBytes uint64
	Leases   int
	Sessions int
	Term     polymath.Ref
}

// Stats reads the sizes.
func (l *Ledger) Stats() Stats {
	return Stats{l.jobs, l.maxJobs, l.bytes, l.maxBytes, l.leases.Len(), len(l.sessions), l.term}
}
