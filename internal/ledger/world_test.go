package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/polymath-run/polymath"
)

// world drives replicas of a ledger with commands that chance chooses, honest
// and hostile ones, and an oracle looks on.
type world struct {
	pick func(n int) int // chance: one of [0,n)
	a, b *Ledger         // replicas; b is now and then restored from an image
	*oracle
	at       polymath.Index
	fxA, fxB Effects

	lane    polymath.Ref
	number  uint64
	workers []polymath.Ref
	term    polymath.Ref
	now     int64
	last    []byte // the entry appended last
	err     error  // the first law broken
	plain   bool   // no images, no hashes: faster

	draining bool // look at the whole state now and then only

	image *Image // being taken of a
	want  [][]byte
	next  int
}

func newWorld(pick func(int) int, f Fault) *world {
	w := &world{pick: pick, a: New(0), b: New(0), oracle: newOracle(), now: 1_000_000_000_000}
	w.a.Plant(f)
	w.b.Plant(f)
	w.a.maxLetters, w.b.maxLetters = worldLetters, worldLetters
	w.at.Epoch = 1
	open := &Entry{Commands: []Command{&Open{Node: "n", Nonce: [16]byte{1}}}}
	w.apply(open)
	w.lane = w.fxA.Answers[0].Ref
	w.do(&Assume{})
	w.term = w.fxA.Answers[0].Ref
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %v: "+format, append([]any{w.at}, args...)...)
	}
}

// do appends commands as the proposer would.
func (w *world) do(cmds ...Command) {
	w.number++
	w.apply(&Entry{Session: w.lane, Number: w.number, At: w.now, Commands: cmds})
	if w.fxA.Skip != Applied {
		w.fail("skipped: %v", w.fxA.Skip)
	}
}

func (w *world) apply(e *Entry) {
	w.raw(e.Encode(nil))
	if w.err != nil || w.fxA.Skip != Applied {
		return
	}
	if err := w.entry(e, &w.fxA); err != nil {
		w.fail("%w", err)
	}
	if w.draining && w.number%16 != 0 {
		return
	}
	if err := w.state(w.a); err != nil {
		w.fail("%w", err)
	}
}

// raw applies bytes to both replicas, which must agree.
func (w *world) raw(data []byte) {
	w.last = data
	w.at.Position++
	errA, errB := w.a.Apply(w.at, data, &w.fxA), w.b.Apply(w.at, data, &w.fxB)
	if errA != nil || errB != nil {
		w.at.Position--
		w.fxA.Skip = SkipMalformed
		return
	}
	if len(w.fxA.Grants) != len(w.fxB.Grants) || !w.plain && fmt.Sprintf("%+v", w.fxA) != fmt.Sprintf("%+v", w.fxB) {
		w.fail("effects differ:\n%+v\n%+v", w.fxA, w.fxB)
	}
	if err := w.a.Check(); err != nil {
		w.fail("%w", err)
	}
	if !w.plain && w.a.Hash() != w.b.Hash() {
		w.fail("replicas differ")
	}
}

// step does one thing.
func (w *world) step() {
	switch n := w.pick(20); {
	case n < 12:
		cmds := []Command{w.command()}
		for w.pick(4) == 0 {
			cmds = append(cmds, w.command())
		}
		w.do(cmds...)
		for i, cmd := range cmds {
			w.note(cmd, w.fxA.Answers[i])
		}
	case n == 12:
		w.skipped(w.last, SkipNumber)
	case n == 13:
		w.skipped((&Entry{Session: w.lane, Number: w.number + uint64(w.pick(3)), Commands: []Command{w.command()}}).Encode(nil), SkipNumber)
	case n == 14:
		stranger := polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 1 << 40}}
		w.skipped((&Entry{Session: stranger, Number: 1, Commands: []Command{w.command()}}).Encode(nil), SkipSession)
		w.skipped((&Entry{Commands: []Command{&Open{}, w.command()}}).Encode(nil), SkipSession)
	case n == 15:
		data := bytes.Clone(w.last)
		w.skipped(data[:w.pick(len(data))], SkipMalformed)
	case n == 16:
		w.swap()
	case n == 17 && w.image == nil:
		w.beginImage()
	default:
		w.nextParts(w.pick(300))
	}
}

// skipped applies bytes that must change nothing.
func (w *world) skipped(data []byte, want Skip) {
	var e Entry
	if err := e.Decode(data); err == nil && want == SkipMalformed {
		return
	} else if err == nil && e.Session == w.lane && e.Number == w.number+1 {
		return
	} else if err == nil && e.Session.IsZero() && want != SkipSession {
		return
	}
	if !slices.ContainsFunc(e.Commands, func(c Command) bool { return c.kind() != kindOpen }) && want == SkipSession {
		return
	}
	before := w.a.Stats()
	w.raw(data)
	w.last = (&Entry{Session: w.lane, Number: w.number}).Encode(nil)
	if w.fxA.Skip != want && w.fxA.Skip == Applied || !reflect.DeepEqual(before, w.a.Stats()) {
		w.fail("applied what had to be skipped")
	}
}

// note keeps what a command made.
func (w *world) note(cmd Command, a Answer) {
	if a.Err != nil {
		return
	}
	switch cmd := cmd.(type) {
	case *Open:
		w.workers = append(w.workers, a.Ref)
	case *Close:
		w.workers = slices.DeleteFunc(w.workers, func(r polymath.Ref) bool { return r == cmd.Session })
	case *Assume:
		w.term = a.Ref
	case *Tick:
		w.now = max(w.now, cmd.Now)
	}
}

// command chooses one command.
func (w *world) command() Command {
	switch w.pick(24) {
	case 0, 1, 2, 3:
		return &Submit{Tenant: w.word("t", 3), Spec: w.spec()}
	case 4:
		return &Open{Node: "n", Name: "w", Nonce: [16]byte{2, byte(w.pick(200))}}
	case 5, 6:
		d := &Demand{Session: w.worker(), Slots: uint32(w.pick(4)), Micros: w.number64()}
		for range w.pick(5) {
			d.Functions = append(d.Functions, w.word("f", 3))
		}
		return d
	case 7, 8, 9, 10, 11:
		ls := w.lease()
		return &Complete{Token: ls.Token, Output: w.output(ls), Micros: w.number64()}
	case 12:
		return &Complete{Token: w.lease().Token, Output: []byte("garbage"), Micros: 5}
	case 13, 14:
		return &Fail{Token: w.lease().Token, Error: w.word("e", 3)}
	case 15:
		return &Release{Token: w.lease().Token}
	case 16:
		return &Close{Session: w.worker(), Lost: w.pick(2) == 0}
	case 17:
		return &Expire{Term: w.someTerm(), Token: w.lease().Token, Started: w.pick(2) == 0, Reason: "silent"}
	case 18, 19:
		return &Suspect{Term: w.someTerm(), Token: w.lease().Token}
	case 20, 21:
		return &Tick{Term: w.someTerm(), Now: w.now + int64(w.pick(100_000)) - 1000}
	case 22:
		return &Configure{Tenant: w.word("t", 3), Queue: w.word("q", 2), Weight: uint32(w.pick(4)), Concurrency: uint32(w.pick(4)), Paused: w.pick(4) == 0}
	default:
		return w.rare()
	}
}

func (w *world) rare() Command {
	switch w.pick(9) {
	case 0:
		return &Assume{}
	case 1:
		return &Activate{Version: uint8(w.pick(4))}
	case 2:
		return &Prune{Term: w.someTerm(), Before: w.now}
	case 3:
		return &Configure{MaxJobs: uint64(w.pick(30)), MaxBytes: uint64(w.pick(2000))}
	case 4:
		return &Complete{Token: polymath.Token{Shard: 9, Ref: w.lease().Token.Ref}, Output: []byte("1")}
	case 5, 6, 7:
		return w.discard()
	default:
		var ids []polymath.JobID
		for id := range maps.Keys(w.jobs) {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b polymath.JobID) int { return a.Ref.Compare(b.Ref) })
		if len(ids) == 0 {
			return &Cancel{}
		}
		return &Cancel{Job: ids[w.pick(len(ids))]}
	}
}

func (w *world) word(letter string, n int) string { return fmt.Sprint(letter, w.pick(n)) }

func (w *world) number64() uint64 {
	return []uint64{0, 1, 3, 100, 5000, 1_000_000, 1 << 40, ^uint64(0)}[w.pick(8)]
}

func (w *world) worker() polymath.Ref {
	if len(w.workers) == 0 || w.pick(20) == 0 {
		return polymath.Ref{Index: polymath.Index{Epoch: 7}}
	}
	return w.workers[w.pick(len(w.workers))]
}

func (w *world) someTerm() polymath.Ref {
	if w.pick(8) == 0 {
		return polymath.Ref{}
	}
	return w.term
}

// lease chooses a lease that is out, a second token rather than others, now and
// then one that is over.
func (w *world) lease() polymath.Lease {
	if len(w.out) == 0 || len(w.ended) > 0 && w.pick(6) == 0 {
		if len(w.ended) == 0 {
			return polymath.Lease{}
		}
		return polymath.Lease{Token: w.ended[w.pick(len(w.ended))], Interval: polymath.Interval{To: 1}}
	}
	all := w.a.Leases()
	if i := slices.IndexFunc(all, func(g Grant) bool { return g.Lease.Speculative }); i >= 0 && w.pick(2) == 0 {
		return all[i].Lease
	}
	return all[w.pick(len(all))].Lease
}

// output is an honest output of a lease.
func (w *world) output(ls polymath.Lease) []byte {
	k := w.jobs[ls.Job]
	if k == nil {
		return []byte("1")
	}
	switch k.spec.Plan.Reducer {
	case polymath.Count:
		return fmt.Append(nil, ls.Interval.Len())
	case polymath.Sum:
		return fmt.Appendf(nil, "-%d%030d", ls.Interval.Len(), ls.Interval.From%7)
	case polymath.Min:
		if ls.Interval.From%2 == 1 {
			return nil
		}
		return fmt.Append(nil, ls.Interval.From)
	case polymath.Max:
		return fmt.Append(nil, ls.Interval.To-1)
	default:
		return fmt.Append(nil, ls.Interval)
	}
}

func (w *world) spec() polymath.Spec {
	units := []uint64{0, 1, 2, 7, 50, 3000, 5_000_000, 1 << 40, ^uint64(0)}[w.pick(9)]
	s := polymath.Spec{
		Function: w.word("f", 3), Input: make([]byte, w.pick(50)),
		Plan: polymath.Plan{Units: units, Reducer: polymath.Reducer(1 + w.pick(5)), LongestRun: uint32(w.pick(3))},
	}
	if units > 1 && w.pick(3) == 0 {
		s.Plan.Costs = []polymath.CostPoint{{Unit: units / 2, Micros: 1 + w.number64()/2}, {Unit: units, Micros: ^uint64(0) - uint64(w.pick(9))}}
	}
	o := &s.Options
	o.Queue, o.Priority, o.Attempts, o.SkipDead = w.word("q", 2), int8(w.pick(5)-2), uint8(w.pick(4)), w.pick(2) == 0
	if w.pick(6) == 0 {
		o.NotBefore = w.now + int64(w.pick(100_000)) - 1000
	}
	if w.pick(6) == 0 {
		o.Deadline = w.now + int64(w.pick(1_000_000))
	}
	if w.pick(3) == 0 {
		o.Key, o.Body = [16]byte{1, byte(w.pick(10))}, [16]byte{byte(w.pick(2))}
	}
	if w.pick(30) == 0 {
		o.Priority = 120
	}
	return s
}

// swap replaces b by what its image restores to.
func (w *world) swap() {
	if w.plain {
		return
	}
	parts := takeAll(w.b)
	l, err := restore(parts)
	if err != nil {
		w.fail("restore: %w", err)
		return
	}
	if !slices.EqualFunc(parts, takeAll(l), bytes.Equal) {
		w.fail("an image of what was restored differs")
	}
	if l.NextTick() != w.b.NextTick() && (w.b.NextTick() == 0 || l.NextTick() != 0 && l.NextTick() < w.b.NextTick()) {
		w.fail("the restored ledger wants a tick at %d, the other at %d", l.NextTick(), w.b.NextTick())
	}
	l.Plant(w.a.fault)
	l.maxLetters = w.a.maxLetters
	w.b = l
}

func takeAll(l *Ledger) [][]byte {
	var parts [][]byte
	m := l.BeginImage()
	for p := m.Next(); p != nil; p = m.Next() {
		parts = append(parts, p)
	}
	return parts
}

func restore(parts [][]byte) (*Ledger, error) {
	n := 0
	return Restore(func() ([]byte, error) {
		if n == len(parts) {
			return nil, fmt.Errorf("part %d is missing", n)
		}
		n++
		return parts[n-1], nil
	})
}

// beginImage begins an image of a that is taken while it goes on; b tells how
// it must come out.
func (w *world) beginImage() {
	if w.plain {
		return
	}
	w.image, w.want, w.next = w.a.BeginImage(), takeAll(w.b), 0
}

func (w *world) nextParts(n int) {
	for ; n > 0 && w.image != nil; n-- {
		p := w.image.Next()
		if p == nil {
			if w.next != ImageParts {
				w.fail("the image has %d parts", w.next)
			}
			w.image = nil
			return
		}
		if w.next >= len(w.want) || !bytes.Equal(p, w.want[w.next]) {
			w.fail("part %d of the image is not as it was at its beginning", w.next)
		}
		w.next++
	}
}

// drain lets an honest worker finish everything: each job must come to an end. One
// of millions of units, in leases of a few, is cancelled when the others wait for it.
func (w *world) drain() {
	const manyUnits = 1_000_000
	w.draining = true
	for i := range 3 {
		for k := range 2 {
			w.do(&Configure{Tenant: fmt.Sprint("t", i), Queue: fmt.Sprint("q", k)})
		}
	}
	w.do(&Open{Node: "n", Name: "honest"})
	s := w.fxA.Answers[0].Ref
	w.do(&Demand{Session: s, Functions: []string{"f0", "f1", "f2"}, Slots: 8, Micros: ^uint64(0)})
	w.workOff()
	for _, j := range w.a.Jobs(polymath.JobID{}, MaxScan, JobFilter{}).Jobs {
		if j.Units >= manyUnits {
			w.do(&Cancel{Job: j.ID})
		}
	}
	w.workOff()
	if st := w.a.Stats(); w.err == nil && (st.Jobs != 0 || st.Bytes != 0 || st.Leases != 0) {
		w.fail("after everything was worked off: %+v", st)
	}
}

// workOff completes leases for many rounds, or until there is no job left.
func (w *world) workOff() {
	for range 2000 {
		if w.err != nil || w.a.Stats().Jobs == 0 {
			return
		}
		if next := w.a.NextTick(); next != 0 {
			w.now = max(w.now+1, next)
			w.do(&Tick{Term: w.term, Now: w.now})
		}
		for _, g := range w.a.Leases() {
			if _, out := w.out[g.Lease.Token]; out {
				w.do(&Complete{Token: g.Lease.Token, Output: w.output(g.Lease), Micros: g.Lease.Micros})
			}
		}
	}
}
