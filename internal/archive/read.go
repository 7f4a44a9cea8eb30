package archive

import (
	"fmt"
	"time"

	"github.com/polymath-run/polymath"
	bolt "go.etcd.io/bbolt"
)

// Bounds of one read.
const (
	maxPage = 1000 // jobs, dead letters or events
	// maxScan is how many records a page with a filter looks at: a reader who
	// asks for what hardly exists gets short pages and not a long wait.
	maxScan = 20_000
	// maxScanBytes is how many bytes of jobs a page looks at: a thousand
	// answers of the largest kind would be a gigabyte in one hand.
	maxScanBytes = 16 << 20
)

// Job returns a finished job. The error is NotFound for one that is not in the
// archive, which includes unfinished ones, and Gone for one that retention
// removed. The two can be told apart only by age: a job of the time of those
// that were removed is called gone although it may never have been.
func (a *Archive) Job(id polymath.JobID) (polymath.Job, error) {
	missing := polymath.Errorf(polymath.NotFound, "there is no finished job %v", id)
	if id.Shard != a.options.Shard {
		return polymath.Job{}, missing
	}
	if job, ok := a.pendingJob(id.Ref); ok {
		return job, nil
	}
	var job polymath.Job
	err := a.store.view(func(tx *bolt.Tx) error {
		s, err := loadState(tx)
		if err != nil {
			return err
		}
		r, err := findJob(jobBucket.of(tx), id.Ref)
		switch {
		case err != nil:
			return err
		case r != nil && r.clock >= s.before:
			job = r.keep(s.shard)
			return nil
		case r != nil, id.Ref.Index.Compare(s.ended) <= 0:
			return polymath.Errorf(polymath.Gone, "job %v is no longer kept: finished jobs stay %s and at most %d of them",
				id, inDays(a.options.KeepJobs), a.options.MaxJobs)
		default:
			return missing
		}
	})
	return job, err
}

// inDays is a duration as people say it: 7 days, where it is a number of them.
func inDays(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day || d%day != 0 {
		return d.String()
	}
	return fmt.Sprintf("%d days", d/day)
}

// pendingJob is a job that is not committed yet.
func (a *Archive) pendingJob(ref polymath.Ref) (polymath.Job, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.pending() {
		if r := b.job(ref); r != nil {
			return r.keep(a.options.Shard), true
		}
	}
	return polymath.Job{}, false
}

// pending lists the batches that are not committed, oldest first. a.mu is held.
func (a *Archive) pending() []*batch {
	if a.committing == nil {
		return []*batch{a.filling}
	}
	return []*batch{a.committing, a.filling}
}

// gather is the records of the pending batches. Called before a transaction
// begins, it may find some that the transaction has too, but misses none.
func gather[T any](a *Archive, of func(*batch) []T) []T {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []T
	for _, b := range a.pending() {
		all = append(all, of(b)...)
	}
	return all
}

// Filter chooses jobs; its zero fields choose all.
type Filter struct {
	Tenant   string
	Function string
	Queue    string
	State    polymath.State
}

func (f Filter) matches(j *polymath.Job) bool {
	return (f.Tenant == "" || f.Tenant == j.Tenant) &&
		(f.Function == "" || f.Function == j.Function) &&
		(f.Queue == "" || f.Queue == j.Options.Queue) &&
		(f.State == 0 || f.State == j.State)
}
