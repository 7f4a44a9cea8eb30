package functiontest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
)

// garbage lets a worker lie about a part of the units: an output that is let
// pass, by the check and by the reducer, leaves an answer that can be read.
func garbage(t reporter, f function.Function, input, contradiction string) {
	t.Helper()
	canonical, plan := mustPlan(t, f, input)
	if plan.Units == 0 {
		return
	}
	first, second := polymath.Interval{To: plan.Units}, polymath.Interval{From: plan.Units, To: plan.Units}
	if plan.Units > 1 {
		first, second = first.Split(plan.Units / 2)
	}
	var honest [2][]byte
	for i, units := range []polymath.Interval{first, second} {
		if units.Empty() {
			continue
		}
		honest[i] = run(t, f, canonical, units)
		if err := function.CheckOutput(f, canonical, units, honest[i]); err != nil {
			t.Fatalf("%s: an honest output of %v is refused: %v", input, units, err)
		}
	}
	units := []polymath.Interval{first, second}
	if second.Empty() {
		units = units[:1]
	}
	for _, lie := range lies(honest) {
		all := slices.Clone(honest[:len(units)]) // whoever can lie does
		for i := range units {
			if function.CheckOutput(f, canonical, units[i], lie) == nil {
				one := slices.Clone(honest[:len(units)])
				one[i], all[i] = lie, lie
				readable(t, f, canonical, one, contradiction)
			}
		}
		readable(t, f, canonical, all, contradiction)
	}
}

// readable wants an answer of outputs that the check let pass, unless the
// reducer refuses one, or they contradict each other.
func readable(t reporter, f function.Function, canonical []byte, outputs [][]byte, contradiction string) {
	t.Helper()
	_, plan := mustPlan(t, f, string(canonical))
	merged, err := Merge(plan.Reducer, outputs)
	if err != nil || len(merged) > polymath.MaxAccumulatorBytes {
		return
	}
	got, err := f.Answer(canonical, merged)
	if err != nil && contradiction != "" && strings.Contains(err.Error(), contradiction) {
		return
	}
	if err != nil || !json.Valid(got) {
		t.Errorf("%.200s: outputs %.60q were let pass and have no answer: %.60q, %v", canonical, outputs, got, err)
	}
}

// lies are outputs a worker might return: nothing, what is no output of any
// function, very large numbers, and what it returned for other units.
func lies(honest [2][]byte) [][]byte {
	all := [][]byte{
		nil, {0}, {0x80}, []byte("garbage"), []byte("{}"), []byte("-1"), []byte("0"), []byte("1e3"), []byte("\n"), []byte("0 \n"),
		[]byte("0 x\n"), []byte("1 x\n"), []byte("0 true\n0 true\n"), []byte("99 1\n"), []byte("0 1"), []byte("0 1/0\n"),
		[]byte("0 99999999999999999999999^99\n"), []byte("0 1e999999\n"),
		[]byte("0" + strings.Repeat(" 2^40000", 8_000) + "\n"), bytes.Repeat([]byte("0 1\n"), 100), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		[]byte(strings.Repeat("9", polymath.MaxNumberBytes)),
	}
	for _, bits := range []uint{63, 64, 95, 96, 127, 128, 159, 160, 10_000} {
		n := new(big.Int).Lsh(big.NewInt(1), bits)
		all = append(all, []byte(n.String()), []byte(n.Sub(n, big.NewInt(1)).String()))
	}
	for _, output := range honest {
		half := output[:len(output)/2]
		all = append(all, output, half, output[len(half):], append(bytes.Clone(output), output...), fmt.Appendf(bytes.Clone(output), "0 1\n"))
	}
	return all
}
