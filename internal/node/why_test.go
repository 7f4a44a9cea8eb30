package node

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// TestWhyStanding has one row for each reason a job can wait for.
func TestWhyStanding(t *testing.T) {
	const now = 1_795_000_000_000 // 2026-11-18T11:06:40Z
	queue := ledger.QueueInfo{Name: "q"}
	job := polymath.Job{Function: "f", State: polymath.Queued, Units: 40, Options: polymath.Options{Attempts: 4}}
	running := job
	running.State, running.Done, running.Leased = polymath.Running, 12, 28
	begins := func(at int64) polymath.Job {
		late := job
		late.Options.NotBefore = at
		return late
	}
	skipping := running
	skipping.Dead = 1
	failed := &ledger.Retry{Interval: polymath.Interval{From: 8, To: 16}, Attempts: 2, Error: "boom", Due: now + 1500}
	loose := &ledger.Retry{Interval: polymath.Interval{From: 8, To: 9}, Attempts: 1, Error: "boom", Wait: 61_000}
	atOnce := &ledger.Retry{Interval: polymath.Interval{From: 8, To: 9}, Attempts: 4, Error: "boom"}
	with := func(q ledger.QueueInfo, change func(*ledger.QueueInfo)) ledger.QueueInfo {
		change(&q)
		return q
	}
	for _, c := range []struct {
		name string
		s    ledger.Standing
		want string
	}{
		{"delayed", ledger.Standing{Job: begins(now + 300_000), Delayed: true},
			"waiting; it may not begin before 2026-11-18T11:11:40Z (in 5m0s)"},
		{"delayed for long", ledger.Standing{Job: begins(polymath.MaxMillis), Delayed: true}, "waiting; it may not begin before 9999-12-31T23:59:59Z (in 2912121 days)"},
		{"delayed for days", ledger.Standing{Job: begins(now + 3*24*3_600_000), Delayed: true}, "waiting; it may not begin before 2026-11-21T11:06:40Z (in 3 days)"},
		{"paused", ledger.Standing{Job: job, Ready: true, Queue: with(queue, func(q *ledger.QueueInfo) { q.Paused = true })},
			`waiting; its queue "q" is paused: resume the queue`},
		{"concurrency", ledger.Standing{Job: job, Ready: true, Ahead: 1, AheadUnits: 5,
			Queue: with(queue, func(q *ledger.QueueInfo) { q.Concurrency, q.Leased = 2, 2 })},
			`waiting; its queue "q" may have 2 leases at a time and has 2 out, and 1 job of its queue with 5 units goes first, by priority or age`},
		{"no worker", ledger.Standing{Job: job, Ready: true, Queue: queue},
			`waiting; no worker is here: start one that offers "f"`},
		{"others only", ledger.Standing{Job: job, Ready: true, Queue: queue, Offered: []string{"g", "h"}, OfferedMore: true},
			`waiting; no worker offers "f"; those here offer g, h and more`},
		{"one busy slot", ledger.Standing{Job: job, Ready: true, Queue: queue, Workers: 1, Slots: 1, Busy: 1},
			`waiting; the worker that offers "f" is busy`},
		{"all busy", ledger.Standing{Job: job, Ready: true, Queue: queue, Workers: 2, Slots: 8, Busy: 8, Ahead: 3, AheadUnits: 1, Rivals: 2, RivalJobs: 9},
			`waiting; the 2 workers that offer "f" are busy: they have 8 parts, as many as they take at a time, and 3 jobs of its queue with 1 unit go first, by priority or age, ` +
				`and 2 other queues with 9 jobs of "f" take turns with its own`},
		{"one worker, many ahead", ledger.Standing{Job: job, Ready: true, Queue: queue, Workers: 1, Slots: 4, Busy: 4, Ahead: ledger.MaxAhead, AheadUnits: 9000},
			`waiting; the worker that offers "f" is busy: it has 4 parts, as many as it takes at a time, and more than 4095 jobs of its queue with 9000 units go first, by priority or age`},
		{"room", ledger.Standing{Job: job, Ready: true, Queue: queue, Workers: 1, Slots: 2, Busy: 1},
			"waiting; a worker has room for it: its turn is about to come"},
		{"running", ledger.Standing{Job: running, Leases: 4},
			"running: 12 of 40 units done, 28 out in 4 leases"},
		{"running, dead", ledger.Standing{Job: skipping, Leases: 1},
			"running: 12 of 40 units done, 1 dead letter, 28 out in 1 lease"},
		{"retry", ledger.Standing{Job: running, Leases: 1, Retries: 2, Next: failed},
			"running: 12 of 40 units done, 28 out in 1 lease; 2 intervals of units wait to be tried again, " +
				"the next one (8 to 15) at 2026-11-18T11:06:41Z (in 2s) after attempt 2 of 4 failed: boom"},
		{"retry, wait not begun", ledger.Standing{Job: running, Retries: 1, Next: loose},
			"running: 12 of 40 units done; 1 interval of units waits to be tried again, " +
				"the next one (8 to 8) at 2026-11-18T11:07:41Z (in 1m1s) after attempt 1 of 4 failed: boom"},
		{"retry at once, no worker", ledger.Standing{Job: running, Ready: true, Queue: queue, Retries: 1, Next: atOnce},
			`running: 12 of 40 units done; no worker is here: start one that offers "f"; 1 interval of units waits to be tried again, ` +
				"the next one (8 to 8) as soon as a worker is free after attempt 4 of 4 failed: boom"},
	} {
		if got := explainStanding(&c.s, now); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

func TestWhyEnd(t *testing.T) {
	for _, c := range []struct {
		job  polymath.Job
		want string
	}{
		{polymath.Job{State: polymath.Succeeded, Units: 1, Done: 1, Started: 1000, Finished: 3500}, "succeeded in 2.5s: 1 of 1 unit done"},
		{polymath.Job{State: polymath.Succeeded, Units: 9, Done: 8, Dead: 1, Started: 1000, Finished: 1000}, "succeeded in 0s: 8 of 9 units done, without 1 dead letter"},
		{polymath.Job{State: polymath.Failed, Units: 9, Done: 3, Error: "boom"}, "failed with 3 of 9 units done: boom"},
		{polymath.Job{State: polymath.Cancelled, Units: 9}, "cancelled with 0 of 9 units done"},
	} {
		if got := explainEnd(&c.job); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// genParts draws parts that follow each other and end at some unit.
func genParts(t *rapid.T, widest uint64) (parts []Part, units uint64) {
	for range rapid.IntRange(0, 20).Draw(t, "parts") {
		width := rapid.Uint64Range(1, widest).Draw(t, "width")
		state := PartState(rapid.IntRange(0, int(PartStates)-1).Draw(t, "state"))
		parts = add(parts, Part{polymath.Interval{From: units, To: units + width}, state})
		units += width
	}
	return parts, units
}

// TestBar counts unit by unit: the shares of a bucket sum to a thousand, and
// each is its exact share, rounded down or up.
func TestBar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts, units := genParts(t, 100)
		bar := Bar(parts, units, rapid.IntRange(0, 600).Draw(t, "buckets"))
		count := uint64(len(bar))
		var at uint64
		for i, got := range bar {
			end := units * (uint64(i) + 1) / count
			var in [PartStates]uint64
			for u := at; u < end; u++ {
				for _, p := range parts {
					if p.Interval.From <= u && u < p.Interval.To {
						in[p.State]++
					}
				}
			}
			checkShares(t, got, in, end-at)
			at = end
		}
		if at != units && count > 0 {
			t.Fatalf("the bar ends at %d of %d units", at, units)
		}
	})
}

func checkShares(t *rapid.T, got Shares, in [PartStates]uint64, width uint64) {
	sum := 0
	for s, n := range got {
		sum += int(n)
		if low := in[s] * perMille / width; uint64(n) < low || uint64(n) > low+1 || in[s] == 0 && n > 0 {
			t.Fatalf("%v of %v in %d units", got, in, width)
		}
	}
	if sum != perMille {
		t.Fatalf("%v sums to %d", got, sum)
	}
}

// TestBarOfMany holds the sum where units are as many as there can be.
func TestBarOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts, units := genParts(t, ^uint64(0)/20)
		for i, got := range Bar(parts, units, BarBuckets) {
			sum := 0
			for _, n := range got {
				sum += int(n)
			}
			if sum != perMille {
				t.Fatalf("bucket %d: %v sums to %d", i, got, sum)
			}
		}
	})
	whole := []Part{{polymath.Interval{To: ^uint64(0)}, PartDone}}
	if bar := Bar(whole, ^uint64(0), 3); len(bar) != 3 || bar[2][PartDone] != perMille {
		t.Errorf("%v", bar)
	}
}

// TestArrange: parts cover every unit once, in order, and say of each what the
// lists do; dead units are told from done ones and from nothing else.
func TestArrange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn, cursor := genParts(t, 5)
		p := ledger.Parts{Cursor: cursor, Units: cursor + rapid.Uint64Range(0, 10).Draw(t, "rest")}
		want := make([]PartState, p.Units)
		for u := cursor; u < p.Units; u++ {
			want[u] = PartWaiting
		}
		for _, d := range drawn {
			list := map[PartState]*[]polymath.Interval{PartLeased: &p.Leased, PartRetry: &p.Failed, PartReturned: &p.Returned}[d.State]
			if list == nil {
				continue // done
			}
			*list = append([]polymath.Interval{d.Interval}, *list...)
			for u := d.Interval.From; u < d.Interval.To; u++ {
				want[u] = d.State
			}
		}
		var dead []uint64
		for u := range p.Units {
			if rapid.IntRange(0, 3).Draw(t, "dead") == 0 {
				if dead = append(dead, u); want[u] == PartDone {
					want[u] = PartDead
				}
			}
		}
		var got []PartState
		last := PartStates
		for _, part := range bury(arrange(&p), dead) {
			if part.Interval.From != uint64(len(got)) || part.Interval.Empty() || part.State == last {
				t.Fatalf("part %v after %d units of state %v", part, len(got), last)
			}
			last = part.State
			for range part.Interval.Len() {
				got = append(got, part.State)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d units of %d", len(got), len(want))
		}
		for u := range want {
			if got[u] != want[u] {
				t.Fatalf("unit %d is %v, want %v", u, got[u], want[u])
			}
		}
	})
}

func TestPartStateNames(t *testing.T) {
	seen := make(map[string]bool)
	for s := range PartStates + 1 {
		if name := s.String(); name == "" || seen[name] || strings.Contains(name, "?") != (s == PartStates) {
			t.Errorf("state %d is called %q", s, name)
		} else {
			seen[name] = true
		}
	}
	if PartState(200).String() != "?" {
		t.Error("a state that is none has a name")
	}
}
