package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
)

// TestReady has jobs come and go in every order, and holds a ready against a
// sorted list.
func TestReady(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var r ready
		var in, out []*job
		position, priorities := uint64(0), 1+rng.IntN(3)
		for range 2000 {
			grow := rng.IntN(100) < 30+rng.IntN(60)
			switch pick := rng.IntN(10); {
			case grow && pick < 3 && len(out) > 0: // one comes back
				i := rng.IntN(len(out))
				r.add(out[i])
				in, out = append(in, out[i]), slices.Delete(out, i, i+1)
			case grow:
				position++
				j := &job{ref: polymath.Ref{Index: polymath.Index{Position: position}}, priority: int8(rng.IntN(priorities)), place: nowhere}
				r.add(j)
				in = append(in, j)
			case len(in) > 0:
				j := r.first()
				if pick < 4 {
					j = in[rng.IntN(len(in))]
				}
				r.remove(j)
				in, out = slices.DeleteFunc(in, func(o *job) bool { return o == j }), append(out, j)
			}
			checkReady(t, seed, &r, in, out)
		}
	}
}

func checkReady(t *testing.T, seed uint64, r *ready, in, out []*job) {
	t.Helper()
	var first *job
	for _, j := range in {
		if first == nil || j.before(first) {
			first = j
		}
		if !r.has(j) {
			t.Fatalf("seed %d: a job is not at its place", seed)
		}
	}
	for _, j := range out {
		if j.place != nowhere {
			t.Fatalf("seed %d: a job that left is still at a place", seed)
		}
	}
	if r.first() != first || r.len() != len(in) || !r.inOrder() {
		t.Fatalf("seed %d: %d jobs of %d, in order %v", seed, r.len(), len(in), r.inOrder())
	}
	if most := max(minRing, 4*len(in)); len(r.line.ring) > max(most, keptRing) {
		t.Fatalf("seed %d: room for %d of %d jobs", seed, len(r.line.ring), len(in))
	}
}

// TestReadyIsALine: jobs that come and go in their order are never in a heap.
func TestReadyIsALine(t *testing.T) {
	r := newRig(t)
	for range 3000 {
		r.do(&Submit{Tenant: "t", Spec: spec(1)})
	}
	r.do(&Cancel{Job: polymath.JobID{Ref: r.l.buckets[5].all[0].ref}})
	r.worker(10)
	if jobs := &r.l.queues[0].offers[0].jobs; len(jobs.late) != 0 || jobs.len() != 2989 {
		t.Errorf("%d of %d jobs are in a heap", len(jobs.late), jobs.len())
	}
}

// TestReadyGivesRoomBack: neither holes nor jobs that were there once keep room.
func TestReadyGivesRoomBack(t *testing.T) {
	const many = 5 * keptRing
	var r ready
	position := uint64(0)
	next := func() *job {
		position++
		j := &job{ref: polymath.Ref{Index: polymath.Index{Position: position}}, place: nowhere}
		r.add(j)
		return j
	}
	first := next()
	var between []*job
	for range many {
		between = append(between, next())
	}
	for _, j := range between { // the first stays where it is
		r.remove(j)
	}
	for last := next(); position < 4*many; { // and the newest behind a line of holes
		j := next()
		r.remove(last)
		last = j
	}
	if n := len(r.line.ring); n > minRing {
		t.Errorf("room for %d of %d jobs", n, r.len())
	}
	for range many {
		next()
	}
	for r.len() > 0 {
		r.remove(r.first())
	}
	if n := len(r.line.ring); n > keptRing || first.place != nowhere {
		t.Errorf("an empty line keeps room for %d", n)
	}
}
