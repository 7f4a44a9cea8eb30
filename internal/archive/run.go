package archive

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/polymath-run/polymath"
	bolt "go.etcd.io/bbolt"
)

// Bounds of a run.
const (
	// groupJobs is how many ordinals are a group, the only ones that may share a
	// record: whoever looks for a job looks at the records of its group, which
	// are as many at most.
	groupJobs = 32
	// runBytes is about how large a record of several jobs becomes: see pageBytes.
	runBytes = 4 << 10
	// fieldsBytes is about what the fields of a job take in a record beside its
	// input and its answer, those that it has in common with others included.
	fieldsBytes = 64
)

// jobRun is the jobs of one record: those of one group that were committed
// together, as far as they are small, in the order of their ids. Its key is the
// id of the first. Jobs that were submitted with one entry and end together have
// most in common, which is said once.
type jobRun struct {
	first polymath.Ref
	jobs  []*jobRecord
}

// group is the first id of the group of a job.
func group(r polymath.Ref) polymath.Ref {
	r.Ordinal -= r.Ordinal % groupJobs
	return r
}

// members codes which jobs of the group there are, and makes room for them.
func (r *jobRun) members(c *coder) {
	var after uint32 // a bit for each ordinal after the first
	if !c.reading {
		for _, j := range r.jobs[1:] {
			after |= 1 << (j.job.ID.Ref.Ordinal - r.first.Ordinal - 1)
		}
	}
	small(c, &after)
	if !c.reading {
		return
	}
	if r.first.Ordinal%groupJobs+uint32(bits.Len32(after)) >= groupJobs {
		c.fail()
		after = 0
	}
	r.jobs = pointers(make([]jobRecord, 1+bits.OnesCount32(after)))
	r.jobs[0].job.ID.Ref = r.first
	for _, j := range r.jobs[1:] {
		j.job.ID.Ref = r.first
		j.job.ID.Ref.Ordinal += uint32(bits.TrailingZeros32(after)) + 1
		after &= after - 1
	}
}

// What a job of a run says for itself, and not by the one before it.
const (
	ownNature = 1 << iota
	ownCourse
)

func (r *jobRun) code(c *coder) {
	r.members(c)
	last := &jobRecord{}
	for _, j := range r.jobs {
		var own uint8
		if !c.reading {
			own = j.differs(last)
		}
		if small(c, &own); own > ownNature|ownCourse {
			c.fail()
		}
		if own&ownNature != 0 {
			j.codeNature(c)
		} else if c.reading {
			j.takeNature(last)
		}
		if own&ownCourse != 0 {
			j.codeCourse(c)
		} else if c.reading {
			j.takeCourse(last)
		}
		j.codeOwn(c)
		if c.reading && own != j.differs(last) { // one spelling
			c.fail()
		}
		last = j
	}
}

// differs says what a job does not have in common with another.
func (r *jobRecord) differs(last *jobRecord) (own uint8) {
	j, l := &r.job, &last.job
	o, p := j.Options, l.Options
	o.Key, o.Body, p.Key, p.Body = [16]byte{}, [16]byte{}, [16]byte{}, [16]byte{}
	if o != p || j.Tenant != l.Tenant || j.Function != l.Function || j.Reducer != l.Reducer || j.Units != l.Units || j.Submitted != l.Submitted {
		own |= ownNature
	}
	if r.clock != last.clock || j.State != l.State || j.Done != l.Done || j.Leased != l.Leased || j.Dead != l.Dead ||
		j.Code != l.Code || j.Error != l.Error || j.Started != l.Started || j.Finished != l.Finished {
		own |= ownCourse
	}
	return own
}

func (r *jobRecord) takeNature(last *jobRecord) {
	j, l := &r.job, &last.job
	j.Options, j.Tenant, j.Function, j.Reducer, j.Units, j.Submitted = l.Options, l.Tenant, l.Function, l.Reducer, l.Units, l.Submitted
	j.Options.Key, j.Options.Body = [16]byte{}, [16]byte{}
}

func (r *jobRecord) takeCourse(last *jobRecord) {
	j, l := &r.job, &last.job
	r.clock, j.State, j.Done, j.Leased, j.Dead = last.clock, l.State, l.Done, l.Leased, l.Dead
	j.Code, j.Error, j.Started, j.Finished = l.Code, l.Error, l.Started, l.Finished
}

// size is about how large the record of a job alone is.
func (r *jobRecord) size() int {
	return fieldsBytes + len(r.job.Input) + len(r.job.Result) + len(r.job.Error)
}

// keep makes a job that is part of a record or a batch the reader's own.
func (r *jobRecord) keep(shard uint8) polymath.Job {
	j := r.job
	j.ID.Shard = shard
	j.Input, j.Result = append([]byte(nil), j.Input...), append([]byte(nil), j.Result...)
	return j
}

// runs cuts jobs, in the order of their ids, into runs.
func runs(jobs []*jobRecord) func(func(jobRun) bool) {
	return func(yield func(jobRun) bool) {
		for len(jobs) > 0 {
			of, size, n := group(jobs[0].job.ID.Ref), jobs[0].size(), 1
			for ; n < len(jobs) && group(jobs[n].job.ID.Ref) == of; n++ {
				if size += jobs[n].size(); size > runBytes {
					break
				}
			}
			if !yield(jobRun{jobs[0].job.ID.Ref, jobs[:n]}) {
				return
			}
			jobs = jobs[n:]
		}
	}
}

// putRuns stores jobs that are in the order of their ids.
func putRuns(tx *bolt.Tx, jobs []*jobRecord) error {
	table := jobBucket.of(tx)
	table.FillPercent = fillPercent
	var c coder
	var kept slab
	for r := range runs(jobs) {
		c.b = begin(appendRef(c.b[:0], r.first))
		r.code(&c)
		whole := kept.keep(c.b)
		jobBucket.seal(whole[:refSize], whole[refSize:])
		if err := table.Put(whole[:refSize], whole[refSize:]); err != nil {
			return err
		}
	}
	return nil
}

// readRun reads a record of the jobs' table. Inputs and answers are part of it.
func readRun(k, v []byte) (jobRun, error) {
	r := jobRun{first: refOf(k)}
	c, err := jobBucket.unseal(k, v)
	if err != nil {
		return r, err
	}
	c.shared = true
	r.code(c)
	return r, c.done()
}

// find is the job with an id, or nil.
func (r *jobRun) find(ref polymath.Ref) *jobRecord {
	i := slices.IndexFunc(r.jobs, func(j *jobRecord) bool { return j.job.ID.Ref == ref })
	if i < 0 {
		return nil
	}
	return r.jobs[i]
}

// upTo yields the records of the group of a job that may have it or one before
// it, from the last up to the first.
func upTo(table *bolt.Bucket, ref polymath.Ref) func(func(k, v []byte) bool) {
	return func(yield func(k, v []byte) bool) {
		c := table.Cursor()
		first, key := appendRef(nil, group(ref)), appendRef(nil, ref)
		k, v := c.Seek(key)
		switch {
		case k == nil:
			k, v = c.Last()
		case !bytes.Equal(k, key):
			k, v = c.Prev()
		}
		for bytes.Compare(k, first) >= 0 && yield(k, v) {
			k, v = c.Prev()
		}
	}
}

// findJob finds a job in the file. It is nil when it is not there.
func findJob(table *bolt.Bucket, ref polymath.Ref) (*jobRecord, error) {
	for k, v := range upTo(table, ref) {
		r, err := readRun(k, v)
		if err != nil {
			return nil, err
		}
		if j := r.find(ref); j != nil {
			return j, nil
		}
	}
	return nil, nil
}

// byRef orders jobs by their ids.
func byRef(x, y *jobRecord) int { return x.job.ID.Ref.Compare(y.job.ID.Ref) }

// pointers are to each of some jobs, which do not change any more.
func pointers(jobs []jobRecord) []*jobRecord {
	all := make([]*jobRecord, len(jobs))
	for i := range jobs {
		all[i] = &jobs[i]
	}
	return all
}
