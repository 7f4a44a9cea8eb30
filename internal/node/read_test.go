package node_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
)

// submitted is a job as the one who asked for it remembers it.
type submitted struct {
	id                      polymath.JobID
	tenant, function, queue string
	over                    bool // cancelled
}

// TestJobsInPages reads pages while jobs finish and others come: every job
// that was there when the reading began is shown once, in the order of its
// submission, last first, whichever side of its end it was seen on.
func TestJobsInPages(t *testing.T) {
	p := open(t, t.TempDir())
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	letter := func(prefix string) string { return prefix + string(rune('a'+rng.IntN(2))) }
	var jobs []submitted
	submit := func() {
		j := submitted{tenant: letter("t"), function: letter("f"), queue: letter("q")}
		spec := polymath.Spec{Function: j.function, Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
		spec.Options.Queue = j.queue
		var err error
		if j.id, _, err = p.node.Submit(t.Context(), j.tenant, spec); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	finish := func() {
		if j := &jobs[rng.IntN(len(jobs))]; !j.over {
			if err := p.node.Cancel(t.Context(), j.id); err != nil {
				t.Fatal(err)
			}
			j.over = true
		}
	}
	for range 40 {
		submit()
	}
	for range 20 {
		q := node.JobQuery{Limit: 1 + rng.IntN(7)}
		if rng.IntN(2) == 0 {
			q.Tenant = letter("t")
		}
		if rng.IntN(3) == 0 {
			q.Function = letter("f")
		}
		if rng.IntN(3) == 0 {
			q.Queue = letter("q")
		}
		var want, got []polymath.JobID
		for _, j := range slices.Backward(jobs) {
			if (q.Tenant == "" || q.Tenant == j.tenant) && (q.Function == "" || q.Function == j.function) && (q.Queue == "" || q.Queue == j.queue) {
				want = append(want, j.id)
			}
		}
		for more := true; more; more = !q.After.IsZero() {
			page, err := p.node.Jobs(q)
			if err != nil || len(page.Jobs) > q.Limit {
				t.Fatal(len(page.Jobs), err)
			}
			for _, j := range page.Jobs {
				got = append(got, j.ID)
			}
			q.After = page.Next
			finish()
			submit()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v shows\n%v, want\n%v", q, got, want)
		}
	}
	pagesByState(t, p, jobs)
}

// pagesByState reads the two ends of a job's life apart, in their states.
func pagesByState(t *testing.T, p *place, jobs []submitted) {
	t.Helper()
	for _, state := range polymath.States() {
		want := 0
		for _, j := range jobs {
			if j.over && state == polymath.Cancelled || !j.over && state == polymath.Queued {
				want++
			}
		}
		q := node.JobQuery{State: state, Limit: 3}
		got := 0
		for more := true; more; more = !q.After.IsZero() {
			page, err := p.node.Jobs(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range page.Jobs {
				if got++; j.State != state {
					t.Errorf("job %v is %v, not %v", j.ID, j.State, state)
				}
			}
			q.After = page.Next
		}
		if got != want {
			t.Errorf("%d jobs are %v, want %d", got, state, want)
		}
	}
	elsewhere := polymath.JobID{Shard: 7, Ref: jobs[0].id.Ref}
	if _, err := p.node.Jobs(node.JobQuery{After: elsewhere}); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("after a job of another shard: %v", err)
	}
}

// TestJobsWhileTheyRun pages through jobs that workers finish at that moment.
func TestJobsWhileTheyRun(t *testing.T) {
	set := all.Set(true)
	p := open(t, t.TempDir())
	spec := plan(t, set, "add", `{"a":1,"b":2}`)
	var want []polymath.JobID
	for range 300 {
		id, _, err := p.node.Submit(t.Context(), "t", spec)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	slices.Reverse(want)
	p.work(set, 4)
	for done := false; !done; {
		done = p.node.Stats().Jobs == 0
		var got []polymath.JobID
		q := node.JobQuery{Limit: 17, Tenant: "t"}
		for more := true; more; more = !q.After.IsZero() {
			page, err := p.node.Jobs(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range page.Jobs {
				if got = append(got, j.ID); j.Result != nil {
					t.Fatalf("job %v has its result in a page", j.ID)
				}
			}
			q.After = page.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d jobs of %d", len(got), len(want))
		}
	}
}

// TestEventsOverRestarts listens from before the first event, over restarts
// with and without a checkpoint: the IDs rise, and every event comes once with
// the same ID to those who hear of it and those who read it later.
func TestEventsOverRestarts(t *testing.T) {
	dir := t.TempDir()
	var heard []event.Event
	var after event.ID
	jobs := 0
	for round := range 4 {
		p := open(t, dir)
		if got := p.node.Events().Last(); got != p.archive.LastEvent() || round > 0 && got.Compare(after) < 0 {
			t.Fatalf("round %d: the last event is %v, in the archive %v, heard up to %v", round, got, p.archive.LastEvent(), after)
		}
		for range 5 {
			spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
			id, _, err := p.node.Submit(t.Context(), "", spec)
			if err != nil {
				t.Fatal(err)
			}
			if jobs++; jobs%2 == 0 {
				if err := p.node.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round == 1 {
			if err := p.node.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if round == 2 {
			p.close() // what happened in this round is heard in the next
			continue
		}
		for last := p.node.Events().Last(); after.Compare(last) < 0; {
			b, err := p.node.Events().Next(t.Context(), after)
			if err != nil || b.Gap {
				t.Fatal(b.Gap, err)
			}
			heard, after = append(heard, b.Events...), b.Last
		}
		p.close()
	}
	p := open(t, dir)
	stored, gap, err := p.archive.Events(event.ID{}, 1000)
	if err != nil || gap || !slices.Equal(heard, stored) {
		t.Errorf("heard\n%v\nstored\n%v, %v, %v", heard, stored, gap, err)
	}
	kinds := make(map[event.Kind]int)
	for i, e := range heard {
		if kinds[e.Kind]++; i > 0 && e.ID.Compare(heard[i-1].ID) <= 0 {
			t.Errorf("%v comes after %v", e.ID, heard[i-1].ID)
		}
	}
	if kinds[event.JobQueued] != jobs || kinds[event.JobCancelled] != jobs/2 {
		t.Errorf("%v of %d jobs", kinds, jobs)
	}
}

// TestListenerEndsWithNode: nobody waits for a node that is closed.
func TestListenerEndsWithNode(t *testing.T) {
	p := open(t, t.TempDir())
	hub := p.node.Events()
	ended := make(chan error, 1)
	go func() {
		_, err := hub.Next(context.Background(), hub.Last())
		ended <- err
	}()
	p.close()
	if err := <-ended; polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("the listener heard %v", err)
	}
}

// TestObserve hears of every entry once, before who asked for it has an
// answer, and of none of a replay.
func TestObserve(t *testing.T) {
	dir := t.TempDir()
	var queued, calls atomic.Int64
	observe := func(_ time.Duration, fx *ledger.Effects) {
		calls.Add(1)
		for _, e := range fx.Events {
			if e.Kind == ledger.JobQueued {
				queued.Add(1)
			}
		}
	}
	for round := range int64(2) {
		p := openWith(t, dir, func(o *node.Options) { o.Observe = observe })
		if got := queued.Load(); got != 3*round {
			t.Errorf("round %d begins with %d jobs observed", round, got)
		}
		for i := range int64(3) {
			spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
			if _, _, err := p.node.Submit(t.Context(), "", spec); err != nil {
				t.Fatal(err)
			}
			if got := queued.Load(); got != 3*round+i+1 {
				t.Errorf("%d jobs observed after %d", got, 3*round+i+1)
			}
		}
		p.close()
	}
	if calls.Load() < 6 {
		t.Errorf("%d calls", calls.Load())
	}
}

// joined opens a worker's session that the test answers for, and gives it a
// demand. What it is granted comes through the channel.
func (p *place) joined(name, function string, slots uint32) (polymath.Ref, <-chan polymath.Lease) {
	p.t.Helper()
	leases := make(chan polymath.Lease, 100)
	told := make(chan polymath.Ref, 1)
	route := &node.Route{Post: func(_ polymath.Ref, e node.SeatEvent) {
		if g, ok := e.(node.Granted); ok {
			leases <- g.Lease
		}
	}}
	p.node.Do(func(b *node.Batch) {
		b.Join(name, route, func(s polymath.Ref, err error) {
			if err != nil {
				p.t.Error(err)
			}
			told <- s
		})
	})
	s := <-told
	p.routes[s] = route
	if _, err := p.node.Propose(context.Background(), &ledger.Demand{Session: s, Functions: []string{function}, Slots: slots}); err != nil {
		p.t.Fatal(err)
	}
	return s, leases
}

// TestAwayAfterARestart: a worker whose session outlived the server's restart,
// or its own connection, is away until it is heard of.
func TestAwayAfterARestart(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir)
	session, _ := p.joined("w", "f", 1)
	if w := p.node.Workers(); len(w) != 1 || w[0].Away {
		t.Errorf("joined: %+v", w)
	}
	p.close()
	p = open(t, dir)
	if w := p.node.Workers(); len(w) != 1 || w[0].Session != session || !w[0].Away {
		t.Errorf("after the restart: %+v", w)
	}
	route := &node.Route{Post: func(polymath.Ref, node.SeatEvent) {}}
	p.node.Do(func(b *node.Batch) {
		if err := b.Rejoin(session, route); err != nil {
			t.Error(err)
		}
	})
	if w := p.node.Workers(); len(w) != 1 || w[0].Away {
		t.Errorf("rejoined: %+v", w)
	}
	p.node.Do(func(b *node.Batch) { b.Detach(session, route) })
	if w := p.node.Workers(); len(w) != 1 || !w[0].Away {
		t.Errorf("after its connection broke: %+v", w)
	}
}

// TestWhatIsUnderWay reads one job's tasks, parts and reasons, its worker and
// its queue, from its submission to its end.
func TestWhatIsUnderWay(t *testing.T) {
	const units = 100_000 // more than a first lease takes
	p := open(t, t.TempDir())
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: units, Reducer: polymath.Count}}
	spec.Options.Attempts, spec.Options.SkipDead = 1, true
	id, _, err := p.node.Submit(t.Context(), "t", spec)
	if err != nil {
		t.Fatal(err)
	}
	p.why(id, `no worker is here: start one that offers "f"`)
	p.parts(id, node.Part{Interval: polymath.Interval{To: units}, State: node.PartWaiting})

	session, leases := p.joined("w", "f", 1)
	ls := <-leases
	p.node.Do(func(b *node.Batch) { b.Progress(ls.Token, 1) })
	tasks, err := p.node.Tasks(id)
	if err != nil || len(tasks.Leases) != 1 || len(tasks.Retries) != 0 {
		t.Fatalf("%+v, %v", tasks, err)
	}
	if k := tasks.Leases[0]; k.Token != ls.Token || k.Worker != "w" || k.Session != session || k.Done != 1 || !k.Begun || k.For < 0 {
		t.Errorf("%+v", k)
	}
	p.parts(id, node.Part{Interval: ls.Interval, State: node.PartLeased},
		node.Part{Interval: polymath.Interval{From: ls.Interval.To, To: units}, State: node.PartWaiting})
	p.why(id, `the worker that offers "f" is busy`)
	if w := p.node.Workers(); len(w) != 1 || w[0].Session != session || w[0].Name != "w" || w[0].Slots != 1 || w[0].Local ||
		!slices.Equal(w[0].Functions, []string{"f"}) || w[0].Silent < 0 || len(w[0].Leases) != 1 || w[0].Leases[0].Job != id {
		t.Errorf("%+v", w)
	}
	if f := p.node.Functions(); len(f) != 1 || f[0] != (ledger.FunctionInfo{Name: "f", Jobs: 1, Workers: 1, Slots: 1}) {
		t.Errorf("%+v", f)
	}

	guilty := ls.Interval.From
	p.workOff(id, guilty, ls, leases)
	p.why(id, "without 1 dead letter")
	p.parts(id, node.Part{Interval: polymath.Interval{To: 1}, State: node.PartDead},
		node.Part{Interval: polymath.Interval{From: 1, To: units}, State: node.PartDone})
	if tasks, err := p.node.Tasks(id); err != nil || len(tasks.Leases)+len(tasks.Retries) != 0 {
		t.Errorf("%+v, %v", tasks, err)
	}
	p.discard(id, guilty)
}

// workOff works on a job to its end, and fails whatever has the guilty unit in
// it: after one attempt and halves, that unit alone is a dead letter.
func (p *place) workOff(id polymath.JobID, guilty uint64, ls polymath.Lease, leases <-chan polymath.Lease) {
	p.t.Helper()
	for {
		end := ledger.Command(&ledger.Complete{Token: ls.Token, Output: []byte("0"), Micros: 1})
		if ls.Interval.From <= guilty && guilty < ls.Interval.To {
			end = &ledger.Fail{Token: ls.Token, Error: "boom"}
		}
		if _, err := p.node.Propose(context.Background(), end); err != nil {
			p.t.Fatal(err)
		}
		job, _, err := p.node.Job(id)
		if err != nil {
			p.t.Fatal(err)
		}
		if job.State.Final() {
			return
		}
		p.node.Do(func(b *node.Batch) { // it takes many entries: who is not heard of meanwhile is gone
			for s := range p.routes {
				_ = b.Beat(s)
			}
		})
		ls = <-leases
	}
}

// why holds that the reason has these words in it.
func (p *place) why(id polymath.JobID, want string) {
	p.t.Helper()
	if got, err := p.node.Why(id); err != nil || !strings.Contains(got, want) {
		p.t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func (p *place) parts(id polymath.JobID, want ...node.Part) {
	p.t.Helper()
	if got, err := p.node.Parts(id); err != nil || !slices.Equal(got, want) {
		p.t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// discard lets the one dead letter go: it is there, then not, and its queue's
// count follows (W9).
func (p *place) discard(id polymath.JobID, unit uint64) {
	t, n := p.t, p.node
	t.Helper()
	letter := archive.LetterID{Job: id, Unit: unit}
	if q := n.Queues(); len(q) != 1 || q[0].Dead != 1 || q[0].Tenant != "t" || q[0].Name != polymath.DefaultQueue {
		t.Errorf("%+v", q)
	}
	if d, err := n.DeadLetter(letter); err != nil || d.Error != "boom" || d.Worker != "w" || d.Tenant != "t" {
		t.Errorf("%+v, %v", d, err)
	}
	if page, err := n.DeadLetters(archive.LetterID{}, 10, archive.LetterFilter{Tenant: "t"}); err != nil || len(page.Letters) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if err := n.Discard(context.Background(), archive.LetterID{Job: id, Unit: unit + 1}); polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("a unit that is no dead letter: %v", err)
	}
	var work sync.WaitGroup
	var gone atomic.Int32
	for range 4 {
		work.Go(func() {
			if err := n.Discard(context.Background(), letter); err == nil {
				gone.Add(1)
			} else if polymath.CodeOf(err) != polymath.NotFound {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if _, err := n.DeadLetter(letter); gone.Load() != 1 || polymath.CodeOf(err) != polymath.NotFound {
		t.Errorf("let go %d times, and then: %v", gone.Load(), err)
	}
	if q := n.Queues(); q[0].Dead != 0 {
		t.Errorf("%+v", q)
	}
	if err := n.DiscardAll(context.Background(), "t", ""); err != nil {
		t.Error(err)
	}
}

// TestSetQueue: a paused queue says so, and goes on when it is resumed.
func TestSetQueue(t *testing.T) {
	p := open(t, t.TempDir())
	if err := p.node.SetQueue(t.Context(), "", "", node.QueueSettings{Weight: 3, Concurrency: 2, Paused: true}); err != nil {
		t.Fatal(err)
	}
	want := ledger.QueueInfo{Name: polymath.DefaultQueue, Weight: 3, Concurrency: 2, Paused: true}
	if q := p.node.Queues(); len(q) != 1 || q[0] != want {
		t.Errorf("%+v", q)
	}
	_, leases := p.joined("w", "f", 1)
	spec := polymath.Spec{Function: "f", Plan: polymath.Plan{Units: 1, Reducer: polymath.Count}}
	id, _, err := p.node.Submit(t.Context(), "", spec)
	if err != nil {
		t.Fatal(err)
	}
	p.why(id, `its queue "default" is paused`)
	if err := p.node.SetQueue(t.Context(), "", "", node.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	if ls := <-leases; ls.Job != id {
		t.Errorf("%+v", ls)
	}
	if err := p.node.SetQueue(t.Context(), "", strings.Repeat("q", polymath.MaxNameBytes+1), node.QueueSettings{}); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("a long name: %v", err)
	}
}

// TestReadsOfNothing: every reader of a job says when there is none.
func TestReadsOfNothing(t *testing.T) {
	p := open(t, t.TempDir())
	id := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 40}}}
	_, why := p.node.Why(id)
	_, tasks := p.node.Tasks(id)
	_, parts := p.node.Parts(id)
	_, letter := p.node.DeadLetter(archive.LetterID{Job: id, Unit: ^uint64(0)})
	for name, err := range map[string]error{"why": why, "tasks": tasks, "parts": parts, "letter": letter} {
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}
