package ledger

import (
	"encoding/binary"
	"testing"

	"github.com/polymath-run/polymath"
)

func keyed(key, body uint64) polymath.Spec {
	s := spec(1)
	binary.LittleEndian.PutUint64(s.Options.Key[:], key+1)
	binary.LittleEndian.PutUint64(s.Options.Body[:], body)
	return s
}

func TestIdempotency(t *testing.T) {
	r := newRig(t)
	r.do(&Tick{Term: r.term, Now: noon})
	first := r.do(&Submit{Spec: keyed(1, 1)})
	again := func(when string, body uint64, want polymath.Code, existing bool) Answer {
		t.Helper()
		a := r.do(&Submit{Spec: keyed(1, body)})
		if polymath.CodeOf(a.Err) != want || a.Existing != existing || existing && a.Ref != first.Ref {
			t.Errorf("%s: %+v", when, a)
		}
		return a
	}
	again("while it lives", 1, 0, true)
	again("another body", 2, polymath.KeyReused, false)
	r.apply(&Configure{MaxJobs: 1})
	again("while the shard is full", 1, 0, true)
	r.do(&Cancel{Job: polymath.JobID{Ref: first.Ref}})
	again("after it ended", 1, 0, true)
	again("after it ended, another body", 2, polymath.KeyReused, false)
	due := r.l.NextTick()
	if due != noon+keyGrain {
		t.Errorf("the key wants its tick at %d", due)
	}
	r.do(&Tick{Term: r.term, Now: due})
	r.do(&Tick{Term: r.term, Now: due + keyMillis - 1})
	again("just before the hour", 1, 0, true)
	if due = r.l.NextTick(); due > noon+keyMillis+2*keyGrain {
		t.Errorf("the key expires at %d", due)
	}
	r.do(&Tick{Term: r.term, Now: due})
	if a := again("after the hour", 2, 0, false); a.Ref == first.Ref {
		t.Error("the old job came back")
	}
	if err := r.l.Check(); err != nil {
		t.Error(err)
	}
}

// TestEachKeyHasItsHour: keys of jobs that ended at different times expire at
// different times, the later one no sooner for the earlier one.
func TestEachKeyHasItsHour(t *testing.T) {
	r := newRig(t)
	now := noon
	var ids []polymath.Ref
	for i := range uint64(10) {
		a := r.do(&Submit{Spec: keyed(i, 0)})
		ids = append(ids, a.Ref)
		r.do(&Cancel{Job: polymath.JobID{Ref: a.Ref}})
		r.do(&Tick{Term: r.term, Now: now})
		now += keyMillis / 11
	}
	for i := range uint64(10) {
		ended := noon + int64(i)*(keyMillis/11)
		r.do(&Tick{Term: r.term, Now: ended + keyMillis - 1})
		if a := r.do(&Submit{Spec: keyed(i, 0)}); a.Ref != ids[i] {
			t.Errorf("key %d was forgotten within its hour", i)
		}
		r.do(&Tick{Term: r.term, Now: ended + keyMillis + 2*keyGrain})
		if k := &r.l.keys; k.first != i+1 {
			t.Errorf("after key %d was due the first is %d", i, k.first)
		}
	}
}

// TestPastKeyBound: 2^20 keys of finished jobs are remembered, then the
// oldest go. An image is begun without copying them.
func TestPastKeyBound(t *testing.T) {
	if testing.Short() {
		t.Skip("a million jobs")
	}
	r := newRig(t)
	for i := range uint64(maxPastKeys + 10) {
		s := keyed(i, 0)
		s.Plan.Units = 0
		r.do(&Submit{Spec: s})
		if i%100_000 == 0 {
			r.do(&Tick{Term: r.term, Now: noon + int64(i)})
		}
	}
	zero := keyed(0, 0)
	if k := &r.l.keys; k.line.count != maxPastKeys || len(k.known) != maxPastKeys || k.first != 10 {
		t.Fatalf("%d keys from %d on", k.line.count, k.first)
	}
	if a := r.do(&Submit{Spec: keyed(10, 0)}); !a.Existing {
		t.Error("the oldest within the bound was forgotten")
	}
	if a := r.do(&Submit{Spec: zero}); a.Existing {
		t.Error("one beyond the bound was remembered")
	}
	parts := takeAll(r.l)
	if len(parts[0]) > 10_000 {
		t.Errorf("the head, copied at once, has %d bytes", len(parts[0]))
	}
	l, err := restore(parts)
	if err != nil || l.Hash() != r.l.Hash() {
		t.Error(err)
	}
	for i := 0; i < 200 && r.l.NextTick() != 0; i++ {
		r.do(&Tick{Term: r.term, Now: max(r.l.NextTick(), 2*noon)})
	}
	if k := &r.l.keys; k.line.count != 0 || len(k.marks) != 0 || len(k.known) != 1 { // that of zero's job
		t.Errorf("%d keys did not expire, %d are known", k.line.count, len(k.known))
	}
}
