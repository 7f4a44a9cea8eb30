package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// bucketCount is how many parts the jobs are kept in: an image copies one
// part at a time, so that no entry waits for a copy of everything.
const bucketCount = 1024

// bucket is some of the unfinished jobs, by ref.
type bucket struct{ jobs []*job }

func bucketOf(r polymath.Ref) int {
	return int((r.Index.Position + uint64(r.Ordinal)) % bucketCount)
}

func (b *bucket) find(r polymath.Ref) (int, bool) {
	return slices.BinarySearchFunc(b.jobs, r, func(j *job, r polymath.Ref) int { return j.ref.Compare(r) })
}

// get finds an unfinished job, or nil.
func (l *Ledger) get(r polymath.Ref) *job {
	b := &l.buckets[bucketOf(r)]
	if i, ok := b.find(r); ok {
		return b.jobs[i]
	}
	return nil
}

// put files a job. Refs grow, so that its place is nearly always the end.
func (l *Ledger) put(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	b := &l.buckets[n]
	i, _ := b.find(j.ref)
	b.jobs = slices.Insert(b.jobs, i, j)
}

func (l *Ledger) remove(j *job) {
	n := bucketOf(j.ref)
	l.keep(n)
	b := &l.buckets[n]
	if i, ok := b.find(j.ref); ok {
		b.jobs = slices.Delete(b.jobs, i, i+1)
	}
}

// edit must come before any change to a job: while an image is taken, the
// job's bucket is copied as it was.
func (l *Ledger) edit(j *job) { l.keep(bucketOf(j.ref)) }

// Job reads one unfinished job; false when the ledger holds none of that id.
func (l *Ledger) Job(id polymath.JobID) (polymath.Job, bool) {
	if id.Shard != l.shard {
		return polymath.Job{}, false
	}
	if j := l.get(id.Ref); j != nil {
		return l.view(j), true
	}
	return polymath.Job{}, false
}

// Find looks through all unfinished jobs for the oldest that matches. It
// takes time in their number and is for the command line, not for requests.
func (l *Ledger) Find(match func(*polymath.Job) bool) (polymath.Job, bool) {
	var oldest *job
	for i := range l.buckets {
		for _, j := range l.buckets[i].jobs {
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

// SessionInfo is what others may know of an open session.
type SessionInfo struct {
	Ref    polymath.Ref
	Node   string
	Name   string
	Local  bool
	Number uint64 // of the entry applied last
	Leases []polymath.Token
}

// Sessions lists the open sessions, oldest first.
func (l *Ledger) Sessions() []SessionInfo {
	all := make([]SessionInfo, 0, len(l.sessions))
	for _, s := range l.sessions {
		info := SessionInfo{Ref: s.ref, Node: s.node, Name: s.name, Local: s.local, Number: s.last}
		for _, ls := range s.leases {
			info.Leases = append(info.Leases, l.token(ls.ref))
		}
		all = append(all, info)
	}
	return all
}

// Leases lists what is out, by session and then token, as it was granted.
func (l *Ledger) Leases() []Grant {
	var all []Grant
	for _, s := range l.sessions {
		for _, ls := range s.leases {
			all = append(all, l.grantOf(ls))
		}
	}
	return all
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
	return Stats{l.jobs, l.maxJobs, l.bytes, l.maxBytes, len(l.leases), len(l.sessions), l.term}
}
