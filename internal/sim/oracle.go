package sim

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// oracle keeps its own books, from what is in the entries and what came of
// them, and compares: it believes no counter of the ledger.
type oracle struct {
	w        *world
	sums     []journal.Checksum // of every entry ever applied, by position-1
	replica  *ledger.Ledger     // reads the same entries and never crashes
	fx       ledger.Effects
	grants   map[polymath.Token]*granted // looked up, never walked
	live     []*granted                  // by token
	last     polymath.Token
	jobs     map[polymath.JobID]*truth // looked up, never walked
	acked    []polymath.JobID
	made     map[[2]int]bool       // client and try of every submission applied
	letters  []polymath.DeadLetter // that nobody discarded, in the order they died
	sessions map[polymath.Ref]uint64
}

// granted is a lease as the oracle saw it given.
type granted struct {
	token    polymath.Token
	session  polymath.Ref
	job      polymath.JobID
	interval polymath.Interval
	over     bool
}

// truth is what is known of a job.
type truth struct {
	load   *workload
	skip   bool
	tenant string
	queue  string
	merged []polymath.Interval // by From, disjoint
	dead   []polymath.Interval
	final  bool
}

func newOracle(w *world) *oracle {
	o := &oracle{
		w: w, replica: ledger.New(0), grants: make(map[polymath.Token]*granted),
		jobs: make(map[polymath.JobID]*truth), sessions: make(map[polymath.Ref]uint64), made: make(map[[2]int]bool),
	}
	o.replica.Plant(w.plant.ledger())
	return o
}

// acknowledged notes a promise: this job exists and will end.
func (o *oracle) acknowledged(id polymath.JobID) {
	if o.jobs[id] == nil {
		o.w.violate("job %v was acknowledged and no entry made it", id)
	}
	o.acked = append(o.acked, id)
}

// hashEvery is how many entries go between two comparisons of replicas.
const hashEvery = 64

// applied looks at an entry the node has just applied.
func (o *oracle) applied(r journal.Record, c *node.Core) {
	at := r.Index.Position
	if at <= uint64(len(o.sums)) {
		if o.sums[at-1] != r.Sum {
			o.w.violate("entry %d was applied once, and after a restart another is in its place: acknowledged entries were lost", at)
		}
		return
	}
	if at != uint64(len(o.sums))+1 {
		o.w.violate("entry %d follows entry %d", at, len(o.sums))
		return
	}
	o.sums = append(o.sums, r.Sum)
	o.examine(r, c.Effects())
	o.compareLetters()
	if err := o.replica.Apply(r.Index, r.Entry, &o.fx); err != nil {
		o.w.violate("the replica cannot go on: %v", err)
		return
	}
	if at%hashEvery == 0 {
		o.compare(c)
		o.bounded(c)
	}
	o.agree(c.Ledger())
}

// compare holds the node against the replica that never crashed.
func (o *oracle) compare(c *node.Core) {
	if o.w.machine.image == nil && c.Ledger().Hash() != o.replica.Hash() {
		o.w.violate("two replicas differ at %v", c.Ledger().Index())
	}
}

// bounded holds that memory is what the open work needs: the ledger's tables
// recount, and the node watches what is out and nothing else.
func (o *oracle) bounded(c *node.Core) {
	l := c.Ledger()
	if err := l.Check(); err != nil {
		o.w.violate("the ledger's books: %v", err)
	}
	workers := 0
	for _, s := range l.Sessions() {
		if s.Name != "" {
			workers++
		}
	}
	load, st := c.Load(), l.Stats()
	switch {
	case o.w.machine.ready && load.Watches != st.Leases+workers:
		o.w.violate("the timekeeper watches %d, there are %d leases and %d workers", load.Watches, st.Leases, workers)
	case load.Seats > workers:
		o.w.violate("%d seats are taken by %d workers", load.Seats, workers)
	case load.Calls > node.MaxWaitingCalls || st.Jobs > st.MaxJobs || st.Bytes > st.MaxBytes || st.Sessions > ledger.MaxSessions:
		o.w.violate("beyond the bounds: %+v, %+v", load, st)
	}
}

// caughtUp looks at a node that has just started.
func (o *oracle) caughtUp(c *node.Core) {
	if at := c.Ledger().Index().Position; at < uint64(len(o.sums)) {
		o.w.violate("the journal ends at %d, and %d entries were applied before: acknowledged entries were lost", at, len(o.sums))
		return
	}
	o.compare(c)
	o.compareLetters()
	for _, id := range o.acked {
		if _, err := c.Job(id); err != nil {
			o.w.violate("job %v was acknowledged and is gone: %v", id, err)
		}
	}
}

// examine follows an entry's commands and what they gave out.
func (o *oracle) examine(r journal.Record, fx *ledger.Effects) {
	var e ledger.Entry
	if err := e.Decode(r.Entry); err != nil || fx.Skip != ledger.Applied {
		return
	}
	if !e.Session.IsZero() {
		if e.Number != o.sessions[e.Session]+1 {
			o.w.violate("entry %d of session %v was applied after entry %d", e.Number, e.Session, o.sessions[e.Session])
		}
		o.sessions[e.Session] = e.Number
	}
	for i, cmd := range e.Commands {
		if fx.Answers[i].Err == nil {
			o.command(cmd, fx.Answers[i])
		}
	}
	o.settleLetters(&e, fx)
	for _, d := range fx.Dead {
		if t := o.jobs[d.Job]; t != nil {
			t.dead = append(t.dead, d.Interval)
			o.w.counts.DeadLetters++
			if d.Interval.Len() != 1 {
				o.w.violate("the dead letter of job %v has %d units", d.Job, d.Interval.Len())
			}
		}
	}
	for _, end := range fx.Ended {
		o.end(end.Token)
	}
	for _, g := range fx.Grants {
		o.grant(g)
	}
	for i := range fx.Finished {
		o.finish(&fx.Finished[i])
	}
}

func (o *oracle) command(cmd ledger.Command, a ledger.Answer) {
	switch cmd := cmd.(type) {
	case *ledger.Submit:
		o.submit(cmd, a)
	case *ledger.Complete:
		o.complete(cmd)
	case *ledger.Fail:
		o.end(cmd.Token)
	case *ledger.Release:
		o.end(cmd.Token)
	case *ledger.Expire:
		o.w.counts.Expiries++
		o.end(cmd.Token)
	}
}

// submit holds that one submission makes one job.
func (o *oracle) submit(cmd *ledger.Submit, a ledger.Answer) {
	var k workload
	if err := json.Unmarshal(cmd.Spec.Input, &k); err != nil {
		o.w.violate("an entry has a broken input: %v", err)
		return
	}
	id := polymath.JobID{Ref: a.Ref}
	switch {
	case a.Existing && o.jobs[id] == nil:
		o.w.violate("an idempotency key led to job %v, which never was", id)
	case a.Existing:
	case o.made[[2]int{k.Number, k.Try}]:
		o.w.violate("submission %d of client %d made two jobs, the second is %v", k.Try, k.Number, id)
	default:
		o.made[[2]int{k.Number, k.Try}] = true
		o.jobs[id] = &truth{
			load: o.w.clients[k.Number].load, skip: cmd.Spec.Options.SkipDead,
			tenant: cmd.Tenant, queue: cmp.Or(cmd.Spec.Options.Queue, polymath.DefaultQueue),
		}
	}
}

// complete holds the one command that counts a result against the books.
func (o *oracle) complete(cmd *ledger.Complete) {
	g := o.grants[cmd.Token]
	if g == nil || g.over {
		o.w.violate("token %v completed a lease it does not hold", cmd.Token)
		return
	}
	o.end(cmd.Token)
	t := o.jobs[g.job]
	i, _ := slices.BinarySearchFunc(t.merged, g.interval, func(a, b polymath.Interval) int { return cmp.Compare(a.From, b.From) })
	t.merged = slices.Insert(t.merged, i, g.interval)
	for k := max(i, 1); k <= i+1 && k < len(t.merged); k++ {
		if t.merged[k-1].Overlaps(t.merged[k]) {
			o.w.violate("units %v and %v of job %v were both counted", t.merged[k-1], t.merged[k], g.job)
		}
	}
	if string(cmd.Output) != t.load.output(g.interval) {
		o.w.violate("the output %q was taken for units %v of job %v", cmd.Output, g.interval, g.job)
	}
}

func (o *oracle) end(token polymath.Token) {
	g := o.grants[token]
	if g == nil || g.over {
		return
	}
	g.over = true
	if i := slices.Index(o.live, g); i >= 0 {
		o.live = slices.Delete(o.live, i, i+1)
	}
}

// grant checks a new lease: a token never seen, over units that nobody holds
// and that were not counted.
func (o *oracle) grant(g ledger.Grant) {
	ls := &g.Lease
	if ls.Token.Ref.Compare(o.last.Ref) <= 0 {
		o.w.violate("token %v was granted after token %v", ls.Token, o.last)
		return
	}
	o.last = ls.Token
	t := o.jobs[ls.Job]
	switch {
	case t == nil || t.final:
		o.w.violate("a lease was granted on job %v, which is not there", ls.Job)
		return
	case ls.Interval.Empty() || ls.Interval.To > t.load.units:
		o.w.violate("a lease was granted on units %v of job %v, which has %d", ls.Interval, ls.Job, t.load.units)
	}
	for _, iv := range t.merged {
		if iv.Overlaps(ls.Interval) {
			o.w.violate("units %v of job %v were leased out after %v were counted", ls.Interval, ls.Job, iv)
		}
	}
	if ls.Speculative {
		o.w.counts.Speculations++
	}
	n := &granted{token: ls.Token, session: g.Session, job: ls.Job, interval: ls.Interval}
	for _, other := range o.live {
		if other.job == n.job && other.interval.Overlaps(n.interval) && (!ls.Speculative || other.interval != n.interval) {
			o.w.violate("units of %v and %v of job %v are leased out at once", other.interval, n.interval, n.job)
		}
	}
	o.grants[n.token] = n
	o.live = append(o.live, n)
}

// finish checks a job that left the ledger.
func (o *oracle) finish(j *polymath.Job) {
	t := o.jobs[j.ID]
	if t == nil || t.final {
		o.w.violate("job %v finished twice", j.ID)
		return
	}
	t.final = true
	o.w.counts.Finished++
	o.w.log("job %d, %v, is %v", t.load.Number, j.ID, j.State)
	var covered uint64
	for _, iv := range append(slices.Clone(t.merged), t.dead...) {
		covered += iv.Len()
	}
	switch {
	case j.Tenant != t.tenant || j.Options.Queue != t.queue:
		o.w.violate("job %v of %s/%s is called one of %s/%s", j.ID, t.tenant, t.queue, j.Tenant, j.Options.Queue)
	case j.State == polymath.Succeeded && covered != t.load.units:
		o.w.violate("job %v succeeded with %d of %d units", j.ID, covered, t.load.units)
	case j.State == polymath.Succeeded && len(t.dead) > 0 && !t.skip:
		o.w.violate("job %v succeeded without units %v", j.ID, t.dead)
	case j.State == polymath.Failed && j.Code == polymath.JobFailed && len(t.dead) == 0:
		o.w.violate("job %v failed without a dead letter: %s", j.ID, j.Error)
	}
	for _, g := range o.live {
		if g.job == j.ID {
			o.w.violate("job %v is over and lease %v is not", j.ID, g.token)
		}
	}
	o.right(j, t)
}

// right compares a job's answer so far with the one of its merged units.
func (o *oracle) right(j *polymath.Job, t *truth) {
	want := t.load.output(t.merged...)
	if j.Started == 0 { // it never ran, and claims nothing
		want = ""
	}
	if string(j.Result) != want {
		o.w.violate("job %v counts %s, its units %v give %s", j.ID, j.Result, t.merged, want)
	}
}

// agree compares the ledger's leases and unfinished jobs with the books.
func (o *oracle) agree(l *ledger.Ledger) {
	if n := l.Stats().Leases; n != len(o.live) {
		o.w.violate("the ledger has %d leases, %d were granted and not ended", n, len(o.live))
	}
	if len(o.live) > 0 { // one job a step: all get their turn
		g := o.live[o.w.steps%len(o.live)]
		if j, ok := l.Job(g.job); ok {
			o.right(&j, o.jobs[g.job])
		} else {
			o.w.violate("lease %v is of job %v, which is gone", g.token, g.job)
		}
	}
}

// settled looks at the end: every promise was kept.
func (o *oracle) settled(c *node.Core) {
	o.compare(c)
	o.compareLetters()
	for _, id := range o.acked {
		j, err := c.Job(id)
		switch {
		case err != nil:
			o.w.violate("job %v was acknowledged and is gone: %v", id, err)
		case !j.State.Final():
			o.w.violate("job %v never ends: %d of %d units are done, %d leased, %d dead", id, j.Done, j.Units, j.Leased, j.Dead)
		}
	}
}
