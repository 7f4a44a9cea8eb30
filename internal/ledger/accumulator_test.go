package ledger

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

// TestOrderDoesNotMatter: however an input is cut and in whatever order its
// pieces arrive, each reducer gives the same answer.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.IntRange(1, 60).Draw(t, "units")
		value := make([]*big.Int, units)
		for i := range value {
			value[i] = big.NewInt(rapid.Int64().Draw(t, "value"))
			value[i].Mul(value[i], value[i]).Mul(value[i], value[i])
			if rapid.Bool().Draw(t, "negative") {
				value[i].Neg(value[i])
			}
		}
		for _, reducer := range polymath.Reducers() {
			k := known{spec: polymath.Spec{Plan: polymath.Plan{Reducer: reducer}}}
			for from := 0; from < units; {
				to := rapid.IntRange(from+1, units).Draw(t, "to")
				k.merged = append(k.merged, merged{polymath.Interval{From: uint64(from), To: uint64(to)}, outputOf(reducer, value[from:to])})
				from = to
			}
			var a accumulator
			for _, m := range rapid.Permutation(k.merged).Draw(t, "order") {
				if err := a.merge(reducer, m.Interval, m.output); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(a.result(reducer)); got != k.reference() {
				t.Errorf("%v: %s, want %s", reducer, got, k.reference())
			}
			if reducer == polymath.Collect && len(a.pieces) != 1 {
				t.Errorf("%d pieces of everything", len(a.pieces))
			}
		}
	})
}

func outputOf(r polymath.Reducer, values []*big.Int) []byte {
	out := new(big.Int).Set(values[0])
	for _, v := range values[1:] {
		switch {
		case r == polymath.Sum || r == polymath.Count:
			out.Add(out, v)
		case r == polymath.Min && v.Cmp(out) < 0, r == polymath.Max && v.Cmp(out) > 0:
			out.Set(v)
		}
	}
	if r == polymath.Count {
		out.Abs(out)
	}
	return []byte(out.String())
}

func TestOutputs(t *testing.T) {
	long := strings.Repeat("9", polymath.MaxNumberBytes)
	for _, c := range []struct {
		reducer polymath.Reducer
		output  string
		want    polymath.Code
	}{
		{polymath.Count, "0", 0}, {polymath.Count, "-0", 0}, {polymath.Count, "-1", polymath.InvalidArgument},
		{polymath.Count, "", polymath.InvalidArgument}, {polymath.Sum, "", polymath.InvalidArgument},
		{polymath.Sum, long, 0}, {polymath.Sum, "-" + long[1:], 0}, {polymath.Sum, long + "9", polymath.InvalidArgument},
		{polymath.Sum, "1.5", polymath.InvalidArgument}, {polymath.Sum, "1e9", polymath.InvalidArgument},
		{polymath.Sum, "0x10", polymath.InvalidArgument}, {polymath.Sum, "1_000", polymath.InvalidArgument},
		{polymath.Sum, " 1", polymath.InvalidArgument}, {polymath.Sum, "--1", polymath.InvalidArgument}, {polymath.Sum, "-", polymath.InvalidArgument},
		{polymath.Sum, "+9223372036854775808", 0}, {polymath.Sum, "\xff\xfe", polymath.InvalidArgument},
		{polymath.Min, "", 0}, {polymath.Max, "", 0}, {polymath.Max, "NaN", polymath.InvalidArgument},
		{polymath.Collect, "", 0}, {polymath.Collect, strings.Repeat("x", polymath.MaxInlineBytes), 0},
	} {
		var a accumulator
		err := a.merge(c.reducer, polymath.Interval{To: 1}, []byte(c.output))
		if polymath.CodeOf(err) != c.want {
			t.Errorf("%v of %.20q: %v", c.reducer, c.output, err)
		}
		if err != nil && (a.some || a.number.Sign() != 0 || len(err.Error()) > 300) {
			t.Errorf("%v of %.20q left a trace, or a text of %d bytes", c.reducer, c.output, len(err.Error()))
		}
	}
}

// TestNothingFound: the least of nothing is nothing; 0 is something.
func TestNothingFound(t *testing.T) {
	var a accumulator
	for _, output := range []string{"", "", "0"} {
		if got := a.result(polymath.Min); got != nil {
			t.Errorf("the least of nothing is %q", got)
		}
		if err := a.merge(polymath.Min, polymath.Interval{To: 1}, []byte(output)); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(a.result(polymath.Min)); got != "0" {
		t.Errorf("the least of 0 is %q", got)
	}
}

func TestNoUnits(t *testing.T) {
	for reducer, want := range map[polymath.Reducer]string{polymath.Count: "0", polymath.Sum: "0", polymath.Min: "", polymath.Max: "", polymath.Collect: ""} {
		r := newRig(t)
		s := spec(0)
		s.Plan.Reducer = reducer
		s.Options.NotBefore = 1e12
		fx := r.apply(&Submit{Spec: s})
		if len(fx.Finished) != 1 || fx.Finished[0].State != polymath.Succeeded || string(fx.Finished[0].Result) != want {
			t.Errorf("%v: %+v", reducer, fx.Finished)
		}
		if st := r.l.Stats(); st.Jobs != 0 || r.l.Check() != nil {
			t.Errorf("%v: %+v, %v", reducer, st, r.l.Check())
		}
	}
}

// TestAnswerBound: an answer that grows too large fails its job and says so.
func TestAnswerBound(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	s := spec(1 << 40)
	s.Plan.Reducer = polymath.Collect
	fx := r.apply(&Submit{Spec: s})
	for i := range polymath.MaxAccumulatorBytes/polymath.MaxInlineBytes + 1 {
		full := i == polymath.MaxAccumulatorBytes/polymath.MaxInlineBytes
		fx = r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: make([]byte, polymath.MaxInlineBytes), Micros: 1e6})
		if full != (len(fx.Finished) == 1) || full != (polymath.CodeOf(fx.Answers[0].Err) == polymath.TooLarge) {
			t.Fatalf("output %d: %v", i, fx.Answers[0].Err)
		}
	}
	if j := fx.Finished[0]; j.State != polymath.Failed || j.Code != polymath.TooLarge || r.l.Stats().Bytes != 0 {
		t.Errorf("%v %v", j.State, j.Code)
	}
}

// TestBadOutputIsAFailure: an output that is none counts as a failed attempt
// of its interval, and the worker is told.
func TestBadOutputIsAFailure(t *testing.T) {
	r := newRig(t)
	r.worker(1)
	s := spec(1)
	s.Options.Attempts = 1
	fx := r.apply(&Submit{Spec: s})
	fx = r.apply(&Complete{Token: fx.Grants[0].Lease.Token, Output: fmt.Append(nil, "three")})
	if polymath.CodeOf(fx.Answers[0].Err) != polymath.InvalidArgument || len(fx.Dead) != 1 || !strings.Contains(fx.Dead[0].Error, "three") {
		t.Errorf("%+v", fx)
	}
}
