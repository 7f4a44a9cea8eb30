package node

import (
	"cmp"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Sizes of a page of jobs.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// JobQuery chooses jobs; its zero fields choose all.
type JobQuery struct {
	Tenant, Function, Queue string
	State                   polymath.State
	After                   polymath.JobID // where the page before ended; zero: begin with the newest
	Limit                   int            // at most MaxPage; 0: DefaultPage
}

// JobPage is some jobs, those submitted last first, without their Results,
// which may be large. With a filter a page may be short, or empty, and still
// have a Next.
type JobPage struct {
	Jobs []polymath.Job
	Next polymath.JobID // to go on after; zero at the end
}

// Jobs returns a page of unfinished and finished jobs. A job that finishes
// between two pages is in exactly one of them: its place is that of its
// submission, in the ledger as in the archive.
//
// The ledger is read first, so that a job on its way from one to the other is
// seen at least once; where it was seen twice, the picture of the ledger
// counts, so that a page shows no job that came later than another it lacks.
func (n *Node) Jobs(q JobQuery) (JobPage, error) {
	if !q.After.IsZero() && q.After.Shard != n.options.Shard {
		return JobPage{}, polymath.Errorf(polymath.InvalidArgument, "job %v to go on after is of another server", q.After)
	}
	if q.Limit <= 0 {
		q.Limit = DefaultPage
	}
	q.Limit = min(q.Limit, MaxPage)
	var live JobPage
	var at polymath.Index
	n.do(func(c *Core) {
		p := c.ledger.Jobs(q.After, q.Limit, ledger.JobFilter{Tenant: q.Tenant, Function: q.Function, Queue: q.Queue, State: q.State})
		live, at = JobPage{p.Jobs, p.Next}, c.ledger.Index()
	})
	if q.State != 0 && !q.State.Final() {
		return live, nil
	}
	p, err := n.options.Archive.Jobs(q.After, q.Limit, archive.Filter{Tenant: q.Tenant, Function: q.Function, Queue: q.Queue, State: q.State})
	if err != nil {
		return JobPage{}, err
	}
	past := JobPage{Next: p.Next}
	for _, j := range p.Jobs {
		if j.ID.Ref.Index.Compare(at) <= 0 {
			j.Result = nil
			past.Jobs = append(past.Jobs, j)
		}
	}
	return live.merge(past, q.Limit), nil
}

// merge joins two pages of one query. Each knows its jobs down to its Next
// only, so the joint page ends at the newer of the two.
func (p JobPage) merge(o JobPage, limit int) JobPage {
	out := JobPage{Next: p.Next}
	if out.Next.Ref.Compare(o.Next.Ref) < 0 {
		out.Next = o.Next
	}
	a, b := p.Jobs, o.Jobs
	for len(a) > 0 || len(b) > 0 {
		order := cmp.Compare(len(b), len(a)) // the one that is not empty
		if len(a) > 0 && len(b) > 0 {
			order = b[0].ID.Ref.Compare(a[0].ID.Ref)
		}
		var next polymath.Job
		if order <= 0 {
			next, a = a[0], a[1:]
		} else {
			next, b = b[0], b[1:]
		}
		if order == 0 {
			b = b[1:]
		}
		if next.ID.Ref.Compare(out.Next.Ref) < 0 {
			break
		}
		out.Jobs = append(out.Jobs, next)
		if len(out.Jobs) == limit {
			if len(a)+len(b) > 0 || !out.Next.IsZero() {
				out.Next = next.ID
			}
			break
		}
	}
	return out
}
