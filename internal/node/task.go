package node

import (
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Task is a lease of a job that is out, and how far its worker is.
type Task struct {
	ledger.Task
	Done uint64 // units behind the worker, by its last word
	// Begun: the worker said that it began, For so long ago. A lease from
	// before this node's start has begun when it is heard of again.
	Begun bool
	For   time.Duration
}

// Retry is an interval of a job that failed and waits to run again.
type Retry struct {
	Interval polymath.Interval
	Attempts uint32 // so far
	Error    string // of the last
	Due      int64  // Unix milliseconds; 0: as soon as a worker is free
}

// Tasks is what a job has under way.
type Tasks struct {
	Leases  []Task  // at most ledger.MaxTasks, those out longest first
	Retries []Retry // those that failed last at the end
}

// Tasks reads what a job has under way: nothing when it is finished. The error
// is NotFound or Gone when there is no such job.
func (n *Node) Tasks(id polymath.JobID) (Tasks, error) {
	var t Tasks
	var found bool
	n.do(func(c *Core) {
		var out []ledger.Task
		var retries []ledger.Retry
		out, retries, found = c.ledger.Tasks(id)
		now := c.cfg.Clock.Now()
		for i := range out {
			t.Leases = append(t.Leases, c.keep.task(out[i], now))
		}
		for i := range retries {
			t.Retries = append(t.Retries, retry(&retries[i], n.Wall()))
		}
	})
	if found {
		return t, nil
	}
	_, err := n.options.Archive.Job(id)
	return t, err
}

// task adds what only the timekeeper knows.
func (k *keeper) task(t ledger.Task, now time.Duration) Task {
	w := k.of(t.Token)
	if w == nil || !w.started {
		return Task{Task: t}
	}
	return Task{Task: t, Done: w.done, Begun: true, For: now - w.begun}
}

// retry tells a wait that no Tick has begun yet as if one did now: it will in
// a moment.
func retry(r *ledger.Retry, now int64) Retry {
	due := r.Due
	if r.Wait > 0 {
		due = now + r.Wait
	}
	return Retry{Interval: r.Interval, Attempts: r.Attempts, Error: r.Error, Due: due}
}
