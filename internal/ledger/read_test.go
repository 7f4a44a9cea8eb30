package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

// TestReads holds every reader to a plain recount, in states that chance makes.
func TestReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
		w := newWorld(pick, NoFault)
		w.plain = true
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.step()
		}
		if w.err != nil {
			t.Fatal(w.err)
		}
		all := newestFirst(w.a)
		readPages(t, w.a, all)
		for _, j := range all {
			readJob(t, w.a, j)
			readStanding(t, w.a, j)
		}
		readSupply(t, w.a)
	})
}

// newestFirst is every unfinished job.
func newestFirst(l *Ledger) []*job {
	var all []*job
	for i := range l.buckets {
		all = append(all, l.buckets[i].all...)
	}
	slices.SortFunc(all, func(a, b *job) int { return b.ref.Compare(a.ref) })
	return all
}

// readPages reads all pages of a filter, with a limit, and compares them with
// a walk over everything.
func readPages(t *rapid.T, l *Ledger, all []*job) {
	f := JobFilter{State: polymath.State(rapid.IntRange(0, 5).Draw(t, "state"))}
	if len(all) > 0 {
		like := all[rapid.IntRange(0, len(all)-1).Draw(t, "like")]
		if rapid.Bool().Draw(t, "by tenant") {
			f.Tenant = like.queue.tenant
		}
		if rapid.Bool().Draw(t, "by queue") {
			f.Queue = like.queue.name
		}
		if rapid.Bool().Draw(t, "by function") {
			f.Function = l.functions[like.function].name
		}
	}
	var want, got []string
	for _, j := range all {
		v := l.view(j)
		if v.Result = nil; f.matches(l, j) {
			want = append(want, fmt.Sprintf("%+v", v))
		}
	}
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	var after polymath.JobID
	for {
		page := l.Jobs(after, limit, f)
		if len(page.Jobs) > limit {
			t.Fatalf("%d jobs in a page of %d", len(page.Jobs), limit)
		}
		for _, v := range page.Jobs {
			got = append(got, fmt.Sprintf("%+v", v))
		}
		if after = page.Next; after.IsZero() {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v with limit %d gives\n%v\nwhere there is\n%v", f, limit, got, want)
	}
}

// readJob compares what a job's readers say of its units with each other.
func readJob(t *rapid.T, l *Ledger, j *job) {
	id := l.jobID(j.ref)
	tasks, retries, found := l.Tasks(id)
	if !found {
		t.Fatalf("job %v has no tasks to ask for", id)
	}
	parts, err := l.Parts(id)
	if err != nil {
		t.Fatal(err)
	}
	if j.run == nil {
		if len(tasks)+len(retries) != 0 || parts.Cursor != 0 {
			t.Fatalf("a queued job has tasks %v, retries %v, parts %+v", tasks, retries, parts)
		}
		return
	}
	if len(tasks) != len(j.run.leases) || len(retries) != len(j.run.failed) || len(parts.Failed) != len(retries) {
		t.Fatalf("%d leases and %d retries are %d and %d", len(j.run.leases), len(j.run.failed), len(tasks), len(retries))
	}
	for i, k := range tasks {
		ls := j.run.leases[i]
		if k.Token.Ref != ls.ref || k.Interval != ls.interval || k.Session != ls.session.ref || k.Attempt != ls.attempt {
			t.Fatalf("lease %+v reads as %+v", ls, k)
		}
		if k.Speculative && (ls.twin == nil || ls.twin.ref.Compare(ls.ref) > 0) {
			t.Fatalf("%v is not the second token", k.Token)
		}
	}
	var leased, rest uint64
	apart := slices.Concat(parts.Leased, parts.Failed, parts.Returned)
	for _, iv := range parts.Leased {
		leased += iv.Len()
	}
	slices.SortFunc(apart, byFrom)
	var end uint64
	for _, iv := range apart {
		if iv.From < end || iv.Empty() || iv.To > parts.Cursor {
			t.Fatalf("%v overlaps another part or the cursor %d", iv, parts.Cursor)
		}
		end = iv.To
		rest += iv.Len()
	}
	if leased != j.run.leased || parts.Dead != j.run.dead || parts.Cursor-rest != j.run.done+j.run.dead {
		t.Fatalf("parts %+v of a job with %d leased, %d done and %d dead", parts, j.run.leased, j.run.done, j.run.dead)
	}
}

// readStanding counts again who goes first.
func readStanding(t *rapid.T, l *Ledger, j *job) {
	s, found := l.Standing(l.jobID(j.ref))
	if !found {
		t.Fatalf("job %v stands nowhere", j.ref)
	}
	var workers, slots, busy uint64
	served := map[uint16]bool{j.function: true}
	for _, w := range l.sessions {
		if w.slots > 0 && slices.Contains(w.functions, j.function) {
			workers, slots, busy = workers+1, slots+uint64(w.slots), busy+uint64(len(w.leases))
			for _, n := range w.functions {
				served[n] = true
			}
		}
	}
	var ahead, units, rivals uint64
	seen := make(map[*queue]bool)
	for _, o := range newestFirst(l) {
		switch {
		case !j.leasable() || !o.leasable() || o == j:
		case o.queue == j.queue && served[o.function] && o.before(j):
			ahead++
			units += o.left()
		case o.queue != j.queue && o.function == j.function && o.queue.open():
			rivals++
			seen[o.queue] = true
		}
	}
	if uint64(s.Workers) != workers || s.Slots != slots || s.Busy != busy || s.Ahead != ahead || s.AheadUnits != units ||
		s.RivalJobs != rivals || s.Rivals != uint64(len(seen)) {
		t.Fatalf("%+v; recounted: workers %d, slots %d, busy %d, ahead %d jobs, %d units, rivals %d with %d jobs",
			s, workers, slots, busy, ahead, units, len(seen), rivals)
	}
	if s.Retries > 0 && (s.Next == nil || s.Next.Interval.Empty()) {
		t.Fatalf("%+v has no next retry", s)
	}
}

// readSupply compares lists with the tables they are made of.
func readSupply(t *rapid.T, l *Ledger) {
	var jobs uint64
	for _, q := range l.Queues() {
		jobs += q.Jobs
	}
	if jobs != l.jobs {
		t.Fatalf("queues have %d jobs, the shard has %d", jobs, l.jobs)
	}
	jobs = 0
	for _, f := range l.Functions() {
		jobs += f.Jobs
	}
	if jobs != l.jobs {
		t.Fatalf("functions have %d jobs, the shard has %d", jobs, l.jobs)
	}
	held := 0
	var last polymath.Ref
	for more := true; more; {
		var page []WorkerInfo
		for page, more = l.Workers(last); len(page) > 0; page = page[1:] {
			w := page[0]
			if w.Session.Compare(last) <= 0 || w.Name == "" {
				t.Fatalf("worker %+v after %v", w, last)
			}
			last = w.Session
			held += len(w.Held)
		}
	}
	if held != l.leases.Len() {
		t.Fatalf("workers hold %d leases of %d", held, l.leases.Len())
	}
}

// TestScanIsBounded: a filter that hardly any job passes looks at MaxScan jobs
// a page, and finds the one it is after.
func TestScanIsBounded(t *testing.T) {
	r := newRig(t)
	s := spec(1)
	s.Options.Queue = "rare"
	rare := r.do(&Submit{Spec: s}).Ref
	s.Options.Queue = ""
	var many []Command
	for range MaxCommands {
		many = append(many, &Submit{Spec: s})
	}
	for range 3*MaxScan/MaxCommands + 1 {
		r.apply(many...)
	}
	var after polymath.JobID
	for pages := 1; ; pages++ {
		page := r.l.Jobs(after, 10, JobFilter{Queue: "rare"})
		if after = page.Next; len(page.Jobs) > 0 {
			if page.Jobs[0].ID.Ref != rare || pages < 4 {
				t.Errorf("found %v on page %d", page.Jobs[0].ID, pages)
			}
			return
		}
		if after.IsZero() {
			t.Fatal("the one job was not found")
		}
	}
}

// TestWorkersInPages: a page ends where it has listed enough.
func TestWorkersInPages(t *testing.T) {
	r := newRig(t)
	const count, offers = 50, 200
	var names []string
	for i := range offers {
		names = append(names, fmt.Sprintf("f%03d", i))
	}
	for range count {
		w := r.worker(1)
		r.do(&Demand{Session: w, Functions: names, Slots: 1})
	}
	first, more := r.l.Workers(polymath.Ref{})
	if n := len(first); !more || n < 2 || n*offers > maxListed {
		t.Fatalf("the first page has %d workers of %d functions, more: %v", n, offers, more)
	}
	got := first
	for more {
		var page []WorkerInfo
		page, more = r.l.Workers(got[len(got)-1].Session)
		got = append(got, page...)
	}
	if len(got) != count || !slices.IsSortedFunc(got, func(a, b WorkerInfo) int { return a.Session.Compare(b.Session) }) {
		t.Errorf("%d workers of %d", len(got), count)
	}
	if s, _ := r.l.Standing(polymath.JobID{}); s.Workers != 0 {
		t.Error("no job stands somewhere")
	}
}

// TestOfferedInstead names what workers do offer when they lack a function.
func TestOfferedInstead(t *testing.T) {
	r := newRig(t)
	w := r.worker(1)
	var names []string
	for i := range maxOffered + 1 {
		names = append(names, fmt.Sprintf("f%02d", maxOffered-i))
	}
	s := spec(1)
	s.Function = "other"
	id := r.l.jobID(r.do(&Submit{Spec: s}).Ref)
	r.do(&Demand{Session: w, Functions: names, Slots: 1})
	st, _ := r.l.Standing(id)
	if st.Workers != 0 || len(st.Offered) != maxOffered || !st.OfferedMore || st.Offered[0] != "f00" || !slices.IsSorted(st.Offered) {
		t.Errorf("%+v", st)
	}
}

// TestNextRetry: an interval that may run at once comes before one that has a
// time, and that before one whose wait did not begin.
func TestNextRetry(t *testing.T) {
	now := failed{interval: polymath.Interval{From: 1, To: 2}, due: dueNow}
	soon := failed{interval: polymath.Interval{From: 2, To: 3}, due: 1000}
	late := failed{interval: polymath.Interval{From: 3, To: 4}, due: 2000}
	loose := failed{interval: polymath.Interval{From: 4, To: 5}, due: dueLoose, wait: 10}
	order := []failed{now, soon, late, loose}
	for i := range order {
		shuffled := slices.Clone(order[i:])
		slices.SortFunc(shuffled, func(a, b failed) int { return cmp.Compare(b.interval.From, a.interval.From) })
		if next := (&run{failed: shuffled}).nextRetry(); next.Interval != order[i].interval {
			t.Errorf("of %v the first is %v", shuffled, next)
		}
	}
}

// BenchmarkPage is a page of a hundred jobs from the middle of a million.
func BenchmarkPage(b *testing.B) {
	r := newRig(b)
	s := spec(1)
	var many []Command
	for range MaxCommands {
		many = append(many, &Submit{Spec: s})
	}
	var middle polymath.JobID
	for n := 0; n+len(many) < DefaultMaxJobs; n += len(many) {
		if fx := r.apply(many...); middle.IsZero() && n > DefaultMaxJobs/2 {
			middle = r.l.jobID(fx.Answers[0].Ref)
		}
	}
	for name, f := range map[string]JobFilter{"all": {}, "none": {Tenant: "nobody"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.l.Jobs(middle, 100, f)
			}
		})
	}
}
