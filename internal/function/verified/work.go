package verified

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/input"
	"github.com/polymath-run/polymath/internal/number"
)

const (
	// maxParts is how many parts a range has at most: the checker can sieve
	// any of them again.
	maxParts = 32
	// partWidth is what a part has at least, in numbers.
	partWidth = 1 << 20
)

// work is a verified count, as the parts it is made of.
type work struct {
	from, to uint64
	parts    []part
	points   []part // to, and from-1 unless from is 0
}

// part is a calculation of one of the two functions.
type part struct {
	function.Function
	from, to uint64 // the numbers it is about
	input    []byte // canonical
	plan     polymath.Plan
}

// work makes the parts of a canonical input.
func (f *Function) work(data []byte) (*work, error) {
	o, err := input.Parse(data, f.Describe().Params)
	if err != nil {
		return nil, err
	}
	var w work
	if w.from, err = o.Uint64("from", 0, MaxTo); err == nil {
		w.to, err = o.Uint64("to", 0, MaxTo)
	}
	if err != nil {
		return nil, polymath.Errorf(polymath.CodeOf(err), "to be verified: %w", err)
	}
	if what, err := o.Choice("what", "count"); err != nil {
		return nil, polymath.Errorf(polymath.CodeOf(err), "field %q: only a count can be verified, not what field \"what\" asks for: %w", verify, err)
	} else if what != "count" || w.from > w.to {
		return nil, polymath.Errorf(polymath.Internal, "a %s from %d to %d", what, w.from, w.to)
	}
	return &w, w.cut(f)
}

// cut plans the parts.
func (w *work) cut(f *Function) error {
	n := min(max((w.to-w.from)/partWidth, 1), maxParts)
	width := (w.to-w.from)/n + 1
	for from := w.from; ; from += width {
		to := min(from+width-1, w.to)
		p, err := planned(f.Function, from, to, fmt.Appendf(nil, `{"from":"%d","to":"%d","what":"count"}`, from, to))
		if err != nil {
			return err
		}
		w.parts = append(w.parts, p)
		if to == w.to {
			break
		}
	}
	xs := []uint64{w.to}
	if w.from > 0 {
		xs = append(xs, w.from-1)
	}
	for _, x := range xs {
		p, err := planned(f.formula, 0, x, fmt.Appendf(nil, `{"x":"%d"}`, x))
		if err != nil {
			return err
		}
		w.points = append(w.points, p)
	}
	return nil
}

func planned(f function.Function, from, to uint64, in []byte) (part, error) {
	canonical, plan, err := f.Plan(in)
	return part{f, from, to, canonical, plan}, err
}

// all lists the parts in the order of their units.
func (w *work) all() []part { return append(slices.Clip(w.parts), w.points...) }

func (w *work) units() (sum uint64) {
	for _, p := range w.all() {
		sum += p.plan.Units
	}
	return sum
}

// costs is the cost of each part in its whole: there are fewer parts than
// points in a table.
func (w *work) costs() (points []polymath.CostPoint) {
	var last polymath.CostPoint
	for _, p := range w.all() {
		last.Unit += p.plan.Units
		if n := len(p.plan.Costs); n > 0 {
			last.Micros += p.plan.Costs[n-1].Micros
		} else {
			last.Micros += p.plan.Units // a table that is empty says one each
		}
		points = append(points, last)
	}
	return points
}

// run runs an interval of units.
func (w *work) run(ctx context.Context, task function.Task) (*tally, error) {
	t := newTally()
	var begin uint64
	for i, p := range w.all() {
		mine := polymath.Interval{From: max(task.Interval.From, begin), To: min(task.Interval.To, begin+p.plan.Units)}
		if !mine.Empty() {
			sub := function.Task{
				Input:    p.input,
				Interval: polymath.Interval{From: mine.From - begin, To: mine.To - begin},
				Progress: func(done uint64) { task.Progress(mine.From - task.Interval.From + done) },
			}
			if err := w.runPart(ctx, t, i, p, sub); err != nil {
				return nil, err
			}
		}
		begin += p.plan.Units
	}
	return t, ctx.Err()
}

func (w *work) runPart(ctx context.Context, t *tally, i int, p part, task function.Task) error {
	if i >= len(w.parts) {
		return t.runPoint(ctx, i-len(w.parts), p, task)
	}
	return t.runUnits(ctx, i, p, task)
}

// answer is what both methods found.
func (w *work) answer(t *tally) (json.RawMessage, error) {
	c, err := w.certificate(t)
	if err != nil {
		return nil, err
	}
	count := new(big.Int)
	for i := range w.parts {
		count.Add(count, t.count(i))
	}
	return json.Marshal(struct {
		Count       number.Integer           `json:"count"`
		Verified    bool                     `json:"verified"`
		Certificate *certificate.Certificate `json:"certificate,omitempty"`
	}{number.FromBig(count), c != nil, c})
}
