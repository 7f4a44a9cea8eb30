package ledger

import (
	"slices"

	"github.com/polymath-run/polymath"
)

// Bounds of one job.
const (
	maxFailed = 1000    // failed intervals, waiting to run again or running
	maxDelay  = 1 << 53 // Unix milliseconds: what JSON can carry exactly

	costPointBytes = 16 // what a point of a cost table counts for
)

// job is one unfinished job. A million of them wait at a time: what only a
// started job needs is in run.
type job struct {
	ref       polymath.Ref
	queue     *queue
	run       *run // nil until the first lease
	input     []byte
	costs     []polymath.CostPoint
	extra     *extra // what most jobs do not ask for, or nil
	units     uint64
	submitted int64 // Unix milliseconds, for people

	longestRun uint32 // seconds
	place      int32  // among the ready ones of its queue and function: see ready
	function   uint16
	reducer    polymath.Reducer
	priority   int8
	attempts   uint8
	skipDead   bool
	delayed    bool // notBefore has not come
	ended      bool // is being taken out of the ledger
}

// extra is the rarer options of a job.
type extra struct {
	notBefore, deadline int64 // Unix milliseconds, 0: none
	key, body           [16]byte
	slot                keySlot // of key
}

// run is the part of a job that exists once it started: a cursor, what was
// given back, what is out, and the answer so far. That is all a job of a
// billion tasks costs.
type run struct {
	started      int64
	cursor       uint64              // units before it were carved
	returned     []polymath.Interval // given back uncounted: sorted, disjoint, apart
	returnedCost uint64              // of returned, in microseconds
	failed       []failed            // waiting to run again, oldest first
	again        int                 // intervals out that failed before
	leases       []*lease            // out, by token
	leased       uint64              // units out, each once
	done         uint64              // units merged
	dead         uint64              // units given up
	sum          accumulator
}

// before is the order in which jobs of a queue are served.
func (j *job) before(o *job) bool {
	if j.priority != o.priority {
		return j.priority > o.priority
	}
	return j.ref.Compare(o.ref) < 0
}

func (j *job) state() polymath.State {
	if j.run == nil {
		return polymath.Queued
	}
	return polymath.Running
}

// leasable reports whether there is an interval to lease out right now.
func (j *job) leasable() bool {
	if j.delayed || j.ended {
		return false
	}
	if j.run == nil {
		return true
	}
	return j.run.cursor < j.units || len(j.run.returned) > 0 || j.run.dueFailed() >= 0
}

// complete reports whether every unit is merged or given up.
func (j *job) complete() bool {
	if j.run == nil {
		return j.units == 0
	}
	return j.run.done+j.run.dead == j.units
}

// cost is how long an interval takes the reference core, in microseconds.
func (j *job) cost(iv polymath.Interval) uint64 {
	return costAt(j.costs, iv.To) - costAt(j.costs, iv.From)
}

// remaining is the cost of what can still be leased out.
func (j *job) remaining() uint64 {
	if j.run == nil {
		return costAt(j.costs, j.units)
	}
	return j.cost(polymath.Interval{From: j.run.cursor, To: j.units}) + j.run.returnedCost
}

// size is what the job counts for against the shard's bound of bytes.
func (j *job) size() uint64 {
	n := len(j.input) + len(j.costs)*costPointBytes
	if j.run != nil {
		n += j.run.sum.size
	}
	return uint64(n)
}

// putBack adds an interval to those given back, joining neighbours.
func (j *job) putBack(iv polymath.Interval) {
	r := j.run
	r.returnedCost += j.cost(iv)
	i, _ := slices.BinarySearchFunc(r.returned, iv, func(a, b polymath.Interval) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	if i > 0 && r.returned[i-1].To == iv.From {
		i--
		iv.From = r.returned[i].From
		r.returned = slices.Delete(r.returned, i, i+1)
	}
	if i < len(r.returned) && r.returned[i].From == iv.To {
		r.returned[i].From = iv.From
		return
	}
	r.returned = slices.Insert(r.returned, i, iv)
}

func (s *Submit) apply(l *Ledger, fx *Effects) Answer {
	o := &s.Spec.Options
	if err := validate(&s.Spec); err != nil {
		return Answer{Err: err}
	}
	if o.Key != [16]byte{} && l.fault != IgnoreKey {
		if ans, known := l.keys.answer(l, o.Key, o.Body); known {
			return ans
		}
	}
	// By the clock of whoever proposes it, or of the timekeeper, who would end
	// it at once.
	if now := max(l.at, l.now); o.Deadline != 0 && o.Deadline <= now {
		return refused(polymath.InvalidArgument, "the deadline %s has passed: it is %s now", polymath.Moment(o.Deadline), polymath.Moment(now))
	}
	size := uint64(len(s.Spec.Input) + len(s.Spec.Plan.Costs)*costPointBytes)
	if l.jobs >= l.maxJobs || l.bytes+size > l.maxBytes {
		return refused(polymath.Overloaded, "%d jobs of %d bytes are unfinished; this server takes %d jobs and %d bytes: try again later",
			l.jobs, l.bytes, l.maxJobs, l.maxBytes)
	}
	f, err := l.function(s.Spec.Function)
	if err != nil {
		return Answer{Err: err}
	}
	q, err := l.queue(s.Tenant, o.Queue)
	if err == nil {
		err = l.burdened(q)
	}
	if err != nil {
		return Answer{Err: err}
	}
	j := l.newJob(&s.Spec, f, q)
	l.admit(j)
	l.jobEvent(JobQueued, j, fx)
	if j.complete() {
		l.start(j, fx)
		l.finish(j, polymath.Succeeded, 0, "", fx)
	}
	return Answer{Ref: j.ref}
}

func (l *Ledger) newJob(s *polymath.Spec, function uint16, q *queue) *job {
	o := &s.Options
	var j *job
	if o.NotBefore != 0 || o.Deadline != 0 || o.Key != [16]byte{} {
		both := new(struct { // they go together
			job   job
			extra extra
		})
		j, both.job.extra = &both.job, &both.extra
	} else {
		j = new(job)
	}
	x := j.extra
	*j = job{
		ref: l.newRef(), queue: q, function: function, extra: x,
		input: slices.Clone(s.Input), costs: s.Plan.Costs, // which only the input shares with its entry
		units: s.Plan.Units, reducer: s.Plan.Reducer, longestRun: s.Plan.LongestRun,
		priority: o.Priority, attempts: o.Attempts, skipDead: o.SkipDead,
		submitted: l.at, place: nowhere,
	}
	if j.attempts == 0 {
		j.attempts = polymath.DefaultAttempts
	}
	if x != nil {
		*x = extra{notBefore: o.NotBefore, deadline: o.Deadline, key: o.Key, body: o.Body}
		j.delayed = o.NotBefore > l.now
	}
	return j
}

// admit takes a new or restored job into every table it belongs to.
func (l *Ledger) admit(j *job) {
	l.put(j)
	l.jobs++
	l.bytes += j.size()
	j.queue.jobs++
	l.functions[j.function].jobs++
	if x := j.extra; x != nil {
		if x.key != [16]byte{} {
			x.slot = l.keys.enter(x.key, livePlace(j.ref))
		}
		if j.delayed {
			l.timers.add(timer{due: x.notBefore, kind: timerStart, job: j.ref})
		}
		if x.deadline != 0 {
			l.timers.add(timer{due: x.deadline, kind: timerDeadline, job: j.ref})
		}
	}
	l.refresh(j)
}

// validate checks what a node's own checks should have kept out.
func validate(s *polymath.Spec) error {
	p, o := &s.Plan, &s.Options
	switch {
	case s.Function == "":
		return polymath.Errorf(polymath.InvalidArgument, "a job needs the name of a function")
	case p.Reducer < polymath.Count || p.Reducer > polymath.Collect:
		return polymath.Errorf(polymath.InvalidArgument, "reducer %d is unknown", p.Reducer)
	case !validCosts(p.Costs, p.Units):
		return polymath.Errorf(polymath.InvalidArgument, "the cost table must grow strictly and end at unit %d", p.Units)
	case o.Priority < polymath.MinPriority || o.Priority > polymath.MaxPriority:
		return polymath.Errorf(polymath.InvalidArgument, "priority %d is not between %d and %d",
			o.Priority, polymath.MinPriority, polymath.MaxPriority)
	case o.Attempts > polymath.MaxAttempts:
		return polymath.Errorf(polymath.InvalidArgument, "%d attempts are more than %d", o.Attempts, polymath.MaxAttempts)
	case o.NotBefore < 0 || o.NotBefore > polymath.MaxMillis || o.Deadline < 0 || o.Deadline > polymath.MaxMillis:
		return polymath.Errorf(polymath.InvalidArgument, "not_before and deadline are times from 1970 to the end of the year 9999")
	case o.Deadline != 0 && o.Deadline <= o.NotBefore:
		return polymath.Errorf(polymath.InvalidArgument, "the deadline %s is not after not_before, %s: the job could never run",
			polymath.Moment(o.Deadline), polymath.Moment(o.NotBefore))
	}
	return nil
}

func (k *Cancel) apply(l *Ledger, fx *Effects) Answer {
	j := l.get(k.Job.Ref)
	if j == nil || k.Job.Shard != l.shard {
		return refused(polymath.NotFound, "there is no unfinished job %v", k.Job)
	}
	l.finish(j, polymath.Cancelled, polymath.CancelledJob, "cancelled", fx)
	return Answer{Ref: j.ref}
}

// start makes a queued job a running one. It returns an empty lease, the first
// of the job: most jobs have one lease and one output, for which there is room
// beside the run.
func (l *Ledger) start(j *job, fx *Effects) *lease {
	l.edit(j)
	first := new(struct {
		run    run
		lease  lease
		leases [1]*lease
		pieces [1]piece
	})
	j.run = &first.run
	j.run.started, j.run.leases, j.run.sum.pieces = l.at, first.leases[:0], first.pieces[:0]
	l.jobEvent(JobStarted, j, fx)
	return &first.lease
}

// finish takes a job out of the ledger in a final state.
func (l *Ledger) finish(j *job, to polymath.State, code polymath.Code, text string, fx *Effects) {
	l.edit(j)
	if j.run != nil {
		for len(j.run.leases) > 0 {
			ls := j.run.leases[0]
			fx.Retired = append(fx.Retired, Retired{ls.session.ref, l.token(ls.ref)})
			l.drop(ls)
		}
	}
	fx.Finished = append(fx.Finished, polymath.Job{})
	view := &fx.Finished[len(fx.Finished)-1]
	l.draw(j, view)
	if j.run != nil {
		view.Result = j.run.sum.result(j.reducer)
	}
	view.State, view.Code, view.Error, view.Finished = to, code, text, l.at
	l.jobEvent(finalEvent(to), j, fx)
	l.forget(j)
}

func finalEvent(s polymath.State) EventKind {
	switch s {
	case polymath.Succeeded:
		return JobSucceeded
	case polymath.Failed:
		return JobFailed
	default:
		return JobCancelled
	}
}

// forget takes a finished job out of every table.
func (l *Ledger) forget(j *job) {
	l.bytes -= j.size()
	j.ended = true
	l.refresh(j)
	l.remove(j)
	l.jobs--
	j.queue.jobs--
	l.functions[j.function].jobs--
	if x := j.extra; x != nil && x.key != [16]byte{} {
		l.keys.retire(j)
	}
	l.dropTimers(j)
}

func (l *Ledger) jobEvent(k EventKind, j *job, fx *Effects) {
	fx.Events = append(fx.Events, Event{Kind: k, Job: l.jobID(j.ref), Name: l.functions[j.function].name})
}

// view is the picture of a job that readers get. Its slices are shared with
// the job and never changed in place.
func (l *Ledger) view(j *job) polymath.Job {
	v := l.outline(j)
	if j.run != nil {
		v.Result = j.run.sum.result(j.reducer)
	}
	return v
}

// outline is a view without the Result, which may be large.
func (l *Ledger) outline(j *job) (v polymath.Job) {
	l.draw(j, &v)
	return v
}

// draw is outline, where it is wanted.
func (l *Ledger) draw(j *job, v *polymath.Job) {
	*v = polymath.Job{
		ID: l.jobID(j.ref), Tenant: j.queue.tenant, Function: l.functions[j.function].name, Input: j.input,
		Options: polymath.Options{Queue: j.queue.name, Priority: j.priority, Attempts: j.attempts, SkipDead: j.skipDead},
		Reducer: j.reducer, State: j.state(), Units: j.units, Submitted: j.submitted,
	}
	if x := j.extra; x != nil {
		v.Options.NotBefore, v.Options.Deadline, v.Options.Key, v.Options.Body = x.notBefore, x.deadline, x.key, x.body
	}
	if r := j.run; r != nil {
		v.Done, v.Leased, v.Dead, v.Started = r.done, r.leased, r.dead, r.started
	}
}
