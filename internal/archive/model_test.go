package archive

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/ledger"
)

const testShard = 7

// narrow are options under which everything is pruned all the time.
func narrow() Options {
	return Options{Shard: testShard, KeepJobs: 60 * time.Second, KeepEvents: 20 * time.Second, MaxJobs: 40, MaxEvents: 70}
}

func indexAt(position uint64) polymath.Index { return polymath.Index{Epoch: 1, Position: position} }

// jobsAt are the ids of the jobs that finish with the entry at a position:
// submitted a little before, so not in the order in which they end.
func jobsAt(seed, position uint64) []polymath.JobID {
	rng := rand.New(rand.NewPCG(seed, position))
	ids := make([]polymath.JobID, max(0, rng.IntN(7)-2))
	for i := range ids {
		submitted := position - rng.Uint64N(min(position, 9))
		ids[i] = polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(submitted), Ordinal: uint32(position)*8 + uint32(i)}}
	}
	return ids
}

// effectsAt is what the entry at a position gave out: a second an entry, by
// clocks that differ, one of which is once in a while far in the future.
func effectsAt(seed, position uint64) *ledger.Effects {
	rng := rand.New(rand.NewPCG(seed, position+1<<40))
	fx := &ledger.Effects{Index: indexAt(position), At: int64(position)*1000 + rng.Int64N(9000)}
	if rng.IntN(40) == 0 {
		fx.At += 1_000_000
	}
	if rng.IntN(12) == 0 {
		fx.Prune = int64(position)*1000 - 60_000
	}
	for i, id := range jobsAt(seed, position) {
		fx.Finished = append(fx.Finished, jobOf(id, rng))
		fx.Events = append(fx.Events, ledger.Event{Kind: ledger.JobSucceeded, Job: id, Name: "isprime"})
		if i == 0 && rng.IntN(3) == 0 {
			fx.Dead = append(fx.Dead, letterOf(id, 5), letterOf(id, 900))
		}
	}
	if next := jobsAt(seed, position+1); len(next) > 0 && rng.IntN(3) == 0 { // dead before its job ends
		fx.Dead = append(fx.Dead, letterOf(next[0], 77))
	}
	fx.Discarded = discardsAt(seed, position, len(fx.Dead))
	if rng.IntN(2) == 0 {
		fx.Events = append(fx.Events, ledger.Event{Kind: ledger.WorkerJoined, Name: "a worker"})
	}
	return fx
}

func jobOf(id polymath.JobID, rng *rand.Rand) polymath.Job {
	j := polymath.Job{
		ID: id, Tenant: "t", Function: []string{"isprime", "primes"}[rng.IntN(2)], Options: polymath.Options{Queue: "default", Attempts: 4},
		Reducer: polymath.Sum, State: polymath.Succeeded, Units: 10, Done: 10, Submitted: 1, Started: 2, Finished: 3,
	}
	if n := rng.IntN(100); n > 0 {
		j.Input = make([]byte, n)
		j.Result = []byte(fmt.Sprint(rng.Uint64()))
	}
	if rng.IntN(3) == 0 {
		j.State, j.Code, j.Error, j.Dead, j.Done = polymath.Failed, polymath.JobFailed, "no", 1, 9
		j.Options.Key, j.Options.Priority, j.Options.SkipDead = [16]byte{1}, -5, true
	}
	return j
}

func letterOf(id polymath.JobID, unit uint64) polymath.DeadLetter {
	name := queueOf(id, unit)
	return polymath.DeadLetter{
		Job: id, Interval: polymath.Interval{From: unit, To: unit + 1},
		Tenant: name.tenant, Queue: name.queue, Function: "primes", Attempts: 4, Error: "cannot", Worker: "w", At: 9,
	}
}

// content is all that readers see.
type content struct {
	Jobs    []polymath.Job
	Letters []polymath.DeadLetter
	Events  []event.Event
	Gap     bool
}

// model is the content after the entries up to a position, by the letter of
// the rules, and the jobs that are gone.
func model(seed, last uint64, o Options) (c content, gone []polymath.JobID) {
	type item struct {
		clock int64
		fx    *ledger.Effects
	}
	var items []item
	var clock, before int64
	firstJob, firstEvent, jobs, events := 0, 0, uint64(0), uint64(0)
	for position := uint64(1); position <= last; position++ {
		fx := effectsAt(seed, position)
		clock = max(clock, fx.At)
		if fx.Prune != 0 {
			before = max(before, fx.Prune)
			clock = before + o.KeepJobs.Milliseconds()
		}
		items = append(items, item{clock, fx})
		for jobs += uint64(len(fx.Finished)); jobs > o.MaxJobs; firstJob++ {
			jobs -= uint64(len(items[firstJob].fx.Finished))
		}
		for events += uint64(len(fx.Events)); events > o.MaxEvents; firstEvent++ {
			events -= uint64(len(items[firstEvent].fx.Events))
		}
	}
	eventsBefore := before + (o.KeepJobs - o.KeepEvents).Milliseconds()
	for i, it := range items {
		for _, j := range it.fx.Finished {
			if i >= firstJob && it.clock >= before {
				c.Jobs = append(c.Jobs, j)
			} else {
				gone = append(gone, j.ID)
			}
		}
		for n, e := range it.fx.Events {
			if i < firstEvent || before != 0 && it.clock < eventsBefore {
				c.Gap = true
				continue
			}
			id := event.ID{Shard: testShard, Index: it.fx.Index, N: uint32(n)}
			c.Events = append(c.Events, event.Event{ID: id, Kind: event.Kind(e.Kind), Job: e.Job, Name: e.Name, At: it.fx.At})
		}
	}
	for _, it := range items {
		c.Letters = lettersAfter(c.Letters, it.fx)
	}
	c.Letters = slices.DeleteFunc(c.Letters, func(d polymath.DeadLetter) bool { return slices.Contains(gone, d.Job) })
	if len(c.Letters) == 0 {
		c.Letters = nil
	}
	slices.SortFunc(c.Jobs, func(x, y polymath.Job) int { return y.ID.Ref.Compare(x.ID.Ref) })
	slices.SortFunc(c.Letters, func(x, y polymath.DeadLetter) int {
		if c := y.Job.Ref.Compare(x.Job.Ref); c != 0 {
			return c
		}
		return int(y.Interval.From) - int(x.Interval.From)
	})
	return c, gone
}

// contentOf reads everything, in pages of a given size.
func contentOf(a *Archive, page int) (c content, err error) {
	for after, more := (polymath.JobID{}), true; more; {
		p, err := a.Jobs(after, page, Filter{})
		if err != nil {
			return c, err
		}
		c.Jobs = append(c.Jobs, p.Jobs...)
		after, more = p.Next, !p.Next.IsZero()
	}
	for after, more := (LetterID{}), true; more; {
		p, err := a.DeadLetters(after, page, LetterFilter{})
		if err != nil {
			return c, err
		}
		c.Letters = append(c.Letters, p.Letters...)
		after, more = p.Next, p.Next != LetterID{}
	}
	for after := (event.ID{}); ; {
		events, gap, err := a.Events(after, page)
		if err != nil {
			return c, err
		}
		if c.Gap = c.Gap || gap; len(events) == 0 {
			return c, nil
		}
		c.Events = append(c.Events, events...)
		after = events[len(events)-1].ID
	}
}

// verify compares an archive that was flushed with the model.
func verify(a *Archive, seed, last uint64, page int) error {
	want, gone := model(seed, last, a.options)
	got, err := contentOf(a, page)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("law: seed %d at %d: %s", seed, last, difference(got, want))
	}
	for _, id := range gone {
		if _, err := a.Job(id); polymath.CodeOf(err) != polymath.Gone {
			return fmt.Errorf("law: seed %d at %d: job %v was pruned, and reading it gives %v", seed, last, id, err)
		}
	}
	for _, j := range want.Jobs {
		if got, err := a.Job(j.ID); err != nil || !reflect.DeepEqual(got, j) {
			return fmt.Errorf("law: seed %d at %d: job %v: %+v, %v", seed, last, j.ID, got, err)
		}
	}
	return nil
}

// difference says where two contents part.
func difference(got, want content) string {
	switch {
	case got.Gap != want.Gap:
		return fmt.Sprintf("gap %v, want %v", got.Gap, want.Gap)
	case !reflect.DeepEqual(got.Jobs, want.Jobs):
		return fmt.Sprintf("%d jobs, want %d:\n%.2000s\n%.2000s", len(got.Jobs), len(want.Jobs), fmt.Sprintf("%+v", got.Jobs), fmt.Sprintf("%+v", want.Jobs))
	case !reflect.DeepEqual(got.Letters, want.Letters):
		return fmt.Sprintf("%d letters, want %d:\n%+v\n%+v", len(got.Letters), len(want.Letters), got.Letters, want.Letters)
	default:
		return fmt.Sprintf("%d events, want %d:\n%+v\n%+v", len(got.Events), len(want.Events), got.Events, want.Events)
	}
}

func mustOpen(t testing.TB, path string, o Options) *Archive {
	t.Helper()
	a, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func putAll(t testing.TB, a *Archive, seed, from, to uint64) {
	t.Helper()
	for position := from; position <= to; position++ {
		if err := a.Put(indexAt(position), effectsAt(seed, position)); err != nil {
			t.Fatal(err)
		}
	}
}

func mustFlush(t testing.TB, a *Archive) {
	t.Helper()
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// filled is the path of a closed archive with entries up to a position.
func filled(t testing.TB, seed, last uint64, o Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive.db")
	a := mustOpen(t, path, o)
	putAll(t, a, seed, 1, last)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
