package archive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// queueOf is the queue of a letter: there are four.
func queueOf(id polymath.JobID, unit uint64) discard {
	n := id.Ref.Index.Position/8 + uint64(id.Ref.Ordinal) + unit
	return discard{tenant: []string{"t", "u"}[n%2], queue: []string{"default", "night"}[n/2%2]}
}

// discardsAt is what the entry at a position lets go of: one letter or a
// queue, rarely of the right queue or of what is there.
func discardsAt(seed, position uint64, dead int) []ledger.Discarded {
	rng := rand.New(rand.NewPCG(seed, position+1<<41))
	var all []ledger.Discarded
	older := 0
	for range max(0, rng.IntN(5)-2) {
		older += rng.IntN(dead - older + 1)
		d := ledger.Discarded{Older: older}
		ids := jobsAt(seed, position-rng.Uint64N(min(position, 9)))
		if len(ids) > 0 && rng.IntN(4) > 0 {
			d.Job, d.Unit = ids[0], []uint64{5, 900, 77, 4}[rng.IntN(4)]
		} else if rng.IntN(3) > 0 {
			continue
		}
		name := queueOf(d.Job, d.Unit)
		if rng.IntN(8) == 0 {
			name.tenant = "stranger"
		}
		d.Tenant, d.Queue = name.tenant, name.queue
		all = append(all, d)
	}
	return all
}

// lettersAfter is what is left of letters after an entry, by the letter of the
// rules.
func lettersAfter(letters []polymath.DeadLetter, fx *ledger.Effects) []polymath.DeadLetter {
	dead := 0
	for _, d := range fx.Discarded {
		letters = append(letters, fx.Dead[dead:d.Older]...)
		dead = d.Older
		letters = slices.DeleteFunc(letters, func(l polymath.DeadLetter) bool {
			named := d.Job.IsZero() || d.Job == l.Job && d.Unit == l.Interval.From
			return named && d.Tenant == l.Tenant && d.Queue == l.Queue
		})
	}
	return append(letters, fx.Dead[dead:]...)
}

// TestLetterFilter reads page by page, through short and empty ones.
func TestLetterFilter(t *testing.T) {
	o := narrow()
	o.MaxJobs = 1 << 40
	o.KeepJobs = 1 << 50
	a := mustOpen(t, filled(t, 4, 200, o), o)
	all, _ := model(4, 200, o)
	job := all.Letters[len(all.Letters)/2].Job
	for _, f := range []LetterFilter{
		{}, {Job: job}, {Tenant: "t"}, {Queue: "night"}, {Tenant: "u", Queue: "default"}, {Tenant: "none"}, {Job: job, Tenant: "none"},
	} {
		for _, limit := range []int{1, 7, maxPage} {
			var want, got []polymath.DeadLetter
			for _, d := range all.Letters {
				if f.matches(&d) && (f.Job.IsZero() || f.Job == d.Job) {
					want = append(want, d)
				}
			}
			for after, more := (LetterID{}), true; more; {
				page, err := a.DeadLetters(after, limit, f)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Letters...)
				after, more = page.Next, page.Next != LetterID{}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: %d letters, want %d", f, len(got), len(want))
			}
		}
	}
}

// TestLetterScan: a reader who asks for what hardly exists gets a short page
// and a place to go on from.
func TestLetterScan(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard})
	fx := &ledger.Effects{}
	job := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(1)}}
	for unit := range uint64(maxScan + 10) {
		fx.Dead = append(fx.Dead, polymath.DeadLetter{Job: job, Interval: polymath.Interval{From: unit, To: unit + 1}, Tenant: "t", Queue: "q"})
	}
	fx.Dead[3].Queue = "rare"
	if err := a.Put(indexAt(1), fx); err != nil {
		t.Fatal(err)
	}
	for _, durable := range []bool{false, true} {
		if durable {
			mustFlush(t, a)
		}
		first, err := a.DeadLetters(LetterID{}, 5, LetterFilter{Queue: "rare"})
		if want := (LetterID{job, 10}); err != nil || len(first.Letters) > 0 || first.Next != want {
			t.Errorf("the first page: %d letters, next %v, %v", len(first.Letters), first.Next, err)
		}
		second, err := a.DeadLetters(first.Next, 5, LetterFilter{Queue: "rare"})
		if err != nil || len(second.Letters) != 1 || second.Letters[0] != fx.Dead[3] || second.Next != (LetterID{}) {
			t.Errorf("the second page: %+v, %v", second, err)
		}
	}
}

// TestDiscardWhileCommitting reads while entries are put and committed: each
// empties a queue and adds a letter to it, so there is exactly one at any time,
// and never an older one than before (law 3).
func TestDiscardWhileCommitting(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard})
	entry := func(position uint64) error {
		id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(position)}}
		return a.Put(indexAt(position), &ledger.Effects{
			Discarded: []ledger.Discarded{{Tenant: "t", Queue: "q"}},
			Dead:      []polymath.DeadLetter{{Job: id, Tenant: "t", Queue: "q", Interval: polymath.Interval{From: 7, To: 8}}},
		})
	}
	if err := entry(1); err != nil {
		t.Fatal(err)
	}
	entries := uint64(2000)
	if testing.Short() {
		entries = 300
	}
	var putErr, flushErr error
	done := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		defer close(done)
		for position := uint64(2); position <= entries && putErr == nil; position++ {
			putErr = entry(position)
		}
	})
	both.Go(func() {
		for running := true; running && flushErr == nil; {
			select {
			case <-done:
				running = false
			default:
			}
			flushErr = a.Flush(t.Context())
		}
	})
	defer both.Wait()
	newest := uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		page, err := a.DeadLetters(LetterID{}, maxPage, LetterFilter{})
		if err != nil || len(page.Letters) != 1 || page.Letters[0].Job.Ref.Index.Position < newest {
			t.Fatalf("after the letter of entry %d: %+v, %v", newest, page, err)
		}
		newest = page.Letters[0].Job.Ref.Index.Position
	}
	both.Wait()
	if err := errors.Join(putErr, flushErr); err != nil || newest != entries || a.durable.letters != 1 {
		t.Errorf("the last is of entry %d, %d on disk, %v", newest, a.durable.letters, err)
	}
}

// TestLayersFallAway: a batch that was committed since it was looked at is read
// as the file has it, with what it took in between.
func TestLayersFallAway(t *testing.T) {
	a := mustOpen(t, filepath.Join(t.TempDir(), "archive.db"), Options{Shard: testShard})
	var letters []polymath.DeadLetter
	for position := uint64(1); position <= 2; position++ {
		id := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(position)}}
		letters = append(letters, polymath.DeadLetter{Job: id, Tenant: "t", Queue: "q", Interval: polymath.Interval{From: 7, To: 8}})
	}
	entry := func(n uint64) error {
		return a.Put(indexAt(n), &ledger.Effects{Discarded: []ledger.Discarded{{Tenant: "t", Queue: "q"}}, Dead: letters[n-1 : n]})
	}
	if err := entry(1); err != nil {
		t.Fatal(err)
	}
	seen := a.layers()
	if err := entry(2); err != nil {
		t.Fatal(err)
	}
	before, err := a.letterPage(seen, LetterID{}, maxPage, LetterFilter{})
	if err != nil || !slices.Equal(before.Letters, letters[:1]) {
		t.Errorf("before the commit: %+v, %v", before, err)
	}
	mustFlush(t, a)
	after, err := a.letterPage(seen, LetterID{}, maxPage, LetterFilter{})
	if err != nil || !slices.Equal(after.Letters, letters[1:]) {
		t.Errorf("after the commit: %+v, %v", after, err)
	}
}

// TestDiscardSurvives: what was let go stays away after a restart, also when
// the journal brings the entries again, and the counts on disk are right: Open
// counts anew.
func TestDiscardSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive.db")
	job := polymath.JobID{Shard: testShard, Ref: polymath.Ref{Index: indexAt(1)}}
	die := &ledger.Effects{}
	for unit := range uint64(6) {
		d := polymath.DeadLetter{Job: job, Interval: polymath.Interval{From: unit, To: unit + 1}, Tenant: "t", Queue: fmt.Sprint(unit / 3)}
		die.Dead = append(die.Dead, d)
	}
	gone := &ledger.Effects{Discarded: []ledger.Discarded{
		{Tenant: "t", Queue: "0"},
		{Tenant: "t", Queue: "1", Job: job, Unit: 4},
		{Tenant: "t", Queue: "1", Job: job, Unit: 4}, // twice
		{Tenant: "t", Queue: "0", Job: job, Unit: 1}, // as part of its queue, too
		{Tenant: "u", Queue: "1", Job: job, Unit: 5}, // another's
		{Tenant: "t", Queue: "1", Job: job, Unit: 9}, // never was
	}}
	want := []polymath.DeadLetter{die.Dead[5], die.Dead[3]}
	for _, restarted := range []bool{false, true} {
		a := mustOpen(t, path, Options{Shard: testShard})
		for range 2 {
			if err := errors.Join(a.Put(indexAt(1), die), a.Put(indexAt(2), gone)); err != nil {
				t.Fatal(err)
			}
			page, err := a.DeadLetters(LetterID{}, 9, LetterFilter{})
			if err != nil || !slices.Equal(page.Letters, want) {
				t.Errorf("restarted %v: %+v, %v", restarted, page, err)
			}
			mustFlush(t, a)
		}
		if err := a.Close(); err != nil || a.durable.letters != 2 {
			t.Errorf("%d letters are on disk, %v", a.durable.letters, err)
		}
	}
}
