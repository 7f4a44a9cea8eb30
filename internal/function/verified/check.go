package verified

import (
	"context"
	"slices"
	"sync"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/number"
)

// Check counts what a certificate says again: both points by the formula, and
// the parts of the given indices by the sieve, with so many goroutines. It
// calls progress, which may be nil, with how much of all is done. A count that
// is another one is a Conflict error that says which.
func (f *Function) Check(ctx context.Context, c *certificate.Certificate, parts []int, goroutines int, progress func(done, total uint64)) error {
	from, isFrom := c.From.Uint64()
	to, isTo := c.To.Uint64()
	if c.Function != f.Describe().Name || !isFrom || !isTo || to > MaxTo {
		return polymath.Errorf(polymath.InvalidArgument, "the certificate is of %.40s from %s to %s: primes can be checked to %d",
			c.Function, c.From.Clip(), c.To.Clip(), uint64(MaxTo))
	}
	if c.Sieve.Version != sieveVersion || c.Formula.Version != formulaVersion {
		return polymath.Errorf(polymath.InvalidArgument,
			"the certificate has version %d of the sieve and %d of the formula: this program has %d and %d; check it with the release that wrote it",
			c.Sieve.Version, c.Formula.Version, sieveVersion, formulaVersion)
	}
	if c.Sieve.Method != sieveMethod || c.Formula.Method != formulaMethod {
		return polymath.Errorf(polymath.InvalidArgument, "the certificate is of the methods %.80q and %.80q: this program has %q and %q",
			c.Sieve.Method, c.Formula.Method, sieveMethod, formulaMethod)
	}
	w := work{from: from, to: to}
	if err := w.cut(f); err != nil {
		return err
	}
	if err := w.isCutAs(c.Sieve.Parts); err != nil {
		return err
	}
	k := &check{work: &w, claim: c, tally: newTally(), progress: progress}
	return k.run(ctx, parts, goroutines)
}

// isCutAs checks that parts of a certificate are those of its range: another
// border or number of units would be a claim that counting again cannot see.
func (w *work) isCutAs(parts []certificate.Part) error {
	if len(w.parts) != len(parts) {
		return polymath.Errorf(polymath.InvalidArgument, "the certificate has %d parts where %d belong", len(parts), len(w.parts))
	}
	for i, p := range w.parts {
		said := parts[i]
		from, isFrom := said.From.Uint64()
		to, isTo := said.To.Uint64()
		units, isUnits := said.Units.Uint64()
		if !isFrom || !isTo || !isUnits || from != p.from || to != p.to || units != p.plan.Units {
			return polymath.Errorf(polymath.InvalidArgument,
				"part %d of the certificate has %s units from %s to %s, where %d units from %d to %d belong",
				i, said.Units.Clip(), said.From.Clip(), said.To.Clip(), p.plan.Units, p.from, p.to)
		}
	}
	return nil
}

// check is one check by several goroutines.
type check struct {
	*work
	claim    *certificate.Certificate
	progress func(done, total uint64)

	mu          sync.Mutex // guards all below
	tally       *tally
	todo        []piece // that nobody has taken
	done, total uint64
	err         error // the first one
}

// piece is an interval of units of a part; parts count on to the points.
type piece struct {
	part  int
	units polymath.Interval
}

func (k *check) run(ctx context.Context, parts []int, goroutines int) error {
	for i := range k.points {
		parts = append(slices.Clip(parts), len(k.parts)+i)
	}
	for _, i := range parts {
		units := polymath.Interval{To: k.all()[i].plan.Units}
		k.total += units.Len()
		size := max(units.Len()/uint64(4*goroutines), 1)
		for !units.Empty() {
			var head polymath.Interval
			head, units = units.Split(size)
			k.todo = append(k.todo, piece{i, head})
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			if err := k.repeat(ctx); err != nil {
				k.fail(err)
				cancel()
			}
		})
	}
	all.Wait()
	if k.err != nil {
		return k.err
	}
	return k.compare(parts)
}

// repeat runs pieces until there are none.
func (k *check) repeat(ctx context.Context) error {
	for {
		p, ok := k.take()
		if !ok {
			return nil
		}
		part := k.all()[p.part]
		found := newTally()
		err := k.runPart(ctx, found, p.part, part, function.Task{Input: part.input, Interval: p.units, Progress: func(uint64) {}})
		if err != nil {
			return err
		}
		k.add(found, p.units.Len())
	}
}

func (k *check) take() (p piece, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.todo) == 0 {
		return piece{}, false
	}
	p, k.todo = k.todo[0], k.todo[1:]
	return p, true
}

func (k *check) add(found *tally, units uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, n := range found.slots {
		k.tally.slots[i].Add(k.tally.slots[i], n)
	}
	k.done += units
	if k.progress != nil {
		k.progress(k.done, k.total)
	}
}

func (k *check) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = err
	}
}

// compare holds the claims against what was found.
func (k *check) compare(parts []int) error {
	wrong := func(what string, said number.Integer, found any) error {
		return polymath.Errorf(polymath.Conflict, "the certificate is false: it says %s %s, counted again it is %v", said, what, found)
	}
	for _, i := range parts {
		if i >= len(k.parts) {
			p, said := k.points[i-len(k.parts)], k.claim.Formula.Points[i-len(k.parts)]
			answer, err := p.Answer(p.input, []byte(k.tally.point(i-len(k.parts)).String()))
			if err != nil {
				return err
			}
			var found number.Integer
			if err := found.UnmarshalJSON(answer); err != nil || found.Big().Cmp(said.Primes.Big()) != 0 {
				return wrong("primes up to "+said.X.String(), said.Primes, found)
			}
			continue
		}
		said := k.claim.Sieve.Parts[i]
		where := " of part " + said.From.String() + " to " + said.To.String()
		switch {
		case said.Count.Big().Cmp(k.tally.count(i)) != 0:
			return wrong("as the count"+where, said.Count, k.tally.count(i))
		case said.Checksum.Big().Cmp(k.tally.checksum(i)) != 0:
			return wrong("as the checksum"+where, said.Checksum, k.tally.checksum(i))
		}
	}
	return nil
}
