package sim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
)

// workload is a job of the run: what it is made of, and what must come out.
type workload struct {
	Number  int      `json:"number"`
	Try     int      `json:"try"` // counts submissions by the client
	Salt    uint64   `json:"salt"`
	Guilty  []uint64 `json:"guilty,omitempty"` // units that always fail
	reducer polymath.Reducer
	units   uint64
	skip    bool
	unit    time.Duration // how long a unit takes
}

// value is what one unit contributes.
func (k *workload) value(unit uint64) int64 {
	h := (unit + 1) * (k.Salt | 1) * 0x9e3779b97f4a7c15
	v := int64(h >> 57)
	if k.reducer == polymath.Sum || k.reducer == polymath.Min || k.reducer == polymath.Max {
		v -= 60
	}
	return v
}

// guilty reports whether an interval holds a unit that always fails.
func (k *workload) guilty(iv polymath.Interval) bool {
	return slices.ContainsFunc(k.Guilty, func(u uint64) bool { return iv.From <= u && u < iv.To })
}

// output is what a function would give for units that need not lie together:
// of one interval, the output of a task; of all merged ones, the answer.
func (k *workload) output(intervals ...polymath.Interval) string {
	var text strings.Builder
	total, some := big.NewInt(0), false
	for _, iv := range intervals {
		for u := iv.From; u < iv.To; u++ {
			v := big.NewInt(k.value(u))
			switch k.reducer {
			case polymath.Collect:
				fmt.Fprintf(&text, "%d;", u)
			case polymath.Count, polymath.Sum:
				total.Add(total, v)
			default:
				if c := v.Cmp(total); !some || (k.reducer == polymath.Min) == (c < 0) && c != 0 {
					total.Set(v)
				}
			}
			some = true
		}
	}
	switch {
	case k.reducer == polymath.Collect:
		return text.String()
	case !some && (k.reducer == polymath.Min || k.reducer == polymath.Max):
		return ""
	default:
		return total.String()
	}
}

// input is the job as a function gets it.
func (k *workload) input() []byte {
	b, err := json.Marshal(k)
	if err != nil {
		panic(err) // a struct of numbers
	}
	return b
}

// invent makes up a job.
func (w *world) invent(number int) *workload {
	r := w.chance
	k := &workload{
		Number: number, Salt: r.Uint64(), reducer: polymath.Reducers()[r.IntN(5)],
		units: uint64(r.IntN(200)), unit: time.Duration(1+r.IntN(20)) * time.Millisecond,
	}
	if r.IntN(4) == 0 {
		k.unit *= 4
	}
	if k.units > 0 && r.IntN(6) == 0 {
		k.skip = r.IntN(2) == 0
		for range 1 + r.IntN(2) {
			k.Guilty = append(k.Guilty, r.Uint64N(k.units))
		}
	}
	return k
}

// spec is the job as it is submitted.
func (w *world) spec(k *workload) polymath.Spec {
	r := w.chance
	s := polymath.Spec{
		Function: "f",
		Plan:     polymath.Plan{Units: k.units, Reducer: k.reducer},
		Options: polymath.Options{
			Queue: []string{"", "other"}[r.IntN(2)], Priority: int8(r.IntN(3)), SkipDead: k.skip, Attempts: uint8(r.IntN(4)),
		},
	}
	if k.units > 0 {
		s.Plan.Costs = []polymath.CostPoint{{Unit: k.units, Micros: k.units * uint64(k.unit.Microseconds())}}
	}
	if r.IntN(8) == 0 {
		s.Options.NotBefore = w.Wall() + r.Int64N(5_000)
	}
	if r.IntN(12) == 0 {
		s.Options.Deadline = w.Wall() + 1 + r.Int64N(20_000)
	}
	return s
}
