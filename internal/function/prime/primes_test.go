package prime

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/functiontest"
	"github.com/polymath-run/polymath/internal/function/prime/sieve"
)

// Cites P2: 0..1,000,000 has 78,498 primes.

func TestPublishedCounts(t *testing.T) {
	// OEIS A006880 and A007053.
	counts := map[string]string{
		`0`: `0`, `1`: `0`, `2`: `1`, `10`: `4`, `100`: `25`, `1e3`: `168`, `1e4`: `1229`, `1e5`: `9592`,
		`1e6`: `78498`, `1e7`: `664579`, `1e8`: `5761455`, `1e9`: `50847534`, `"2^20"`: `82025`,
	}
	p := NewPrimes()
	for to, want := range counts {
		if got := functiontest.Answer(t, p, `{"to":`+to+`}`); got != want {
			t.Errorf("to %s: %s, want %s", to, got, want)
		}
	}
}

func TestPublishedSums(t *testing.T) {
	// OEIS A046731.
	sums := map[string]string{
		`1`: `0`, `10`: `17`, `100`: `1060`, `1e3`: `76127`, `1e4`: `5736396`, `1e5`: `454396537`, `1e6`: `37550402023`,
		`1e7`: `3203324994356`, `1e8`: `279209790387276`, `1e9`: `"24739512092254535"`,
	}
	p := NewPrimes()
	for to, want := range sums {
		if got := functiontest.Answer(t, p, `{"what":"sum","to":`+to+`}`); got != want {
			t.Errorf("to %s: %s, want %s", to, got, want)
		}
	}
}

// Differences of published values of pi(x), and windows found by other
// programs.
func TestWindowsFarOut(t *testing.T) {
	p := NewPrimes()
	tests := []struct{ input, want string }{
		{`{"from":1e9,"to":1000000100}`, `[1000000007,1000000009,1000000021,1000000033,1000000087,1000000093,1000000097]`},
		{`{"from":1e12,"to":1000000000100}`, `[1000000000039,1000000000061,1000000000063,1000000000091]`},
		{`{"from":"1e18","to":"1000000000000000100"}`, `["1000000000000000003","1000000000000000009","1000000000000000031","1000000000000000079"]`},
		{`{"from":"18446744073709551500","to":"18446744073709551615"}`, `["18446744073709551521","18446744073709551533","18446744073709551557"]`},
		{`{"from":"18446744073709551558","to":"18446744073709551615"}`, `[]`},
		{`{"from":24,"to":28}`, `[]`},
		{`{"from":2,"to":2}`, `[2]`},
	}
	for _, tt := range tests {
		input := strings.Replace(tt.input, `}`, `,"what":"list"}`, 1)
		if got := functiontest.Answer(t, p, input); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.input, got, tt.want)
		}
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(tt.want), &list); err != nil {
			t.Fatal(err)
		}
		if got, want := functiontest.Answer(t, p, tt.input), fmt.Sprint(len(list)); got != want {
			t.Errorf("%s: %s primes, want %s", tt.input, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ input, names string }{
		{`{"from":10,"to":5}`, `"from": 10 is greater than "to", 5`},
		{`{"to":"18446744073709551616"}`, `"to": 18446744073709551616 is out of range: whole numbers from 0 to 18446744073709551615`},
		{`{"to":"2^64"}`, "18446744073709551615"},
		{`{"to":1e9000}`, "out of range"},
		{`{"to":-1}`, `"to": -1`},
		{`{"from":-1,"to":1}`, `"from": -1`},
		{`{"to":10,"what":"Count"}`, "count, sum, list, twins"},
		{`{"to":1e9,"what":"list"}`, "about 508"},
		{`{"from":1e18,"to":"1000000000010000000","what":"list"}`, "at most 40000"},
		{`{"to":"18446744073709551615","what":"list"}`, "at most 40000"},
	}
	for _, tt := range tests {
		functiontest.Refused(t, NewPrimes(), tt.input, tt.names)
	}
	for _, tt := range []struct{ input, names string }{
		{`{}`, "one of"},
		{`{"n":1,"numbers":[1]}`, "one of"},
		{`{"n":"1e1000"}`, `of up to 1000 digits`},
		{`{"n":-7}`, `"n": -7`},
		{`{"numbers":[]}`, "empty list"},
		{`{"numbers":[1,2.5]}`, "numbers[1]"},
		{`{"numbers":[1,null]}`, "numbers[1]"},
		{`{"numbers":[1` + strings.Repeat(",1", 8000) + `]}`, "8001 elements"},
	} {
		functiontest.Refused(t, IsPrime{}, tt.input, tt.names)
	}
}

func TestIsPrimeLists(t *testing.T) {
	got := functiontest.Answer(t, IsPrime{}, `{"numbers":[0,1,2,9,"2^61",2305843009213693951,"2305843009213693951"]}`)
	if want := `[false,false,true,false,false,true,true]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	longest := `{"numbers":[7` + strings.Repeat(`,7`, 7999) + `]}`
	if got := functiontest.Answer(t, IsPrime{}, longest); strings.Count(got, "true") != 8000 {
		t.Errorf("of 8000 sevens %d are prime", strings.Count(got, "true"))
	}
	withoutOne, err := IsPrime{}.Answer([]byte(`{"numbers":[1,2,3]}`), []byte("0 n\n2 y\n"))
	if err != nil || string(withoutOne) != `[false,null,true]` {
		t.Errorf("%s, %v", withoutOne, err)
	}
}

// The longest lists there may be fit the output of one task, and their answer
// an accumulator.
func TestLongestListsFit(t *testing.T) {
	p := NewPrimes()
	for _, from := range []uint64{0, 1e9, 1e15, math.MaxUint64 - 3e6} {
		width := uint64(1000)
		listable := func(width uint64) bool {
			_, _, err := p.Plan(fmt.Appendf(nil, `{"from":"%d","to":"%d","what":"list"}`, from, from+width))
			return err == nil
		}
		for step := uint64(1 << 20); step > 0; step /= 2 {
			if width+step <= math.MaxUint64-from && listable(width+step) {
				width += step
			}
		}
		got := functiontest.Answer(t, p, fmt.Sprintf(`{"from":"%d","to":"%d","what":"list"}`, from, from+width))
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(got), &list); err != nil {
			t.Fatal(err)
		}
		if n := len(list); n < MaxListed*95/100 || n > MaxListed*102/100 || len(got) > polymath.MaxAccumulatorBytes {
			t.Errorf("from %d: %d primes in %d numbers, %d bytes", from, n, width, len(got))
		}
	}
}

// A list without a dead unit is the list of the others.
func TestListWithoutDeadUnit(t *testing.T) {
	got, err := answerList([]byte{2, 1, 2, 0, 29, 2, 0})
	if err != nil || string(got) != `[2,3,5,29,31]` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := answerList([]byte{2, 0x80}); polymath.CodeOf(err) != polymath.Internal {
		t.Errorf("a cut varint: %v", err)
	}
}

// Units cover the range exactly, and no unit but the last differs in width.
func TestUnitsCoverTheRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 63).Draw(t, "bits")
		to := rapid.Uint64().Draw(t, "to") >> bits
		r := request{window: window{rapid.Uint64Max(to).Draw(t, "from"), to}, width: width(to)}
		next := r.from
		for i, cut := range []uint64{r.units() / 3, r.units() / 2, r.units() - 1, r.units()} {
			w := r.numbers(polymath.Interval{From: (next - r.from) / r.width, To: cut})
			if cut == 0 || cut <= (next-r.from)/r.width {
				continue
			}
			if w.from != next || w.to < w.from || w.to > to {
				t.Fatalf("cut %d: %v after %d", i, w, next)
			}
			if next = w.to + 1; w.to == to {
				break
			}
		}
		if next != to+1 {
			t.Fatalf("the units end before %d, at %d", to, next)
		}
	})
}

func TestCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		to := rapid.Uint64().Draw(t, "to") >> rapid.IntRange(0, 63).Draw(t, "bits")
		from := rapid.Uint64Max(to).Draw(t, "from")
		canonical, plan, err := NewPrimes().Plan(fmt.Appendf(nil, `{"from":"%d","to":"%d"}`, from, to))
		if err != nil {
			t.Fatal(err)
		}
		if err := functiontest.ValidPlan(canonical, plan); err != nil {
			t.Fatal(err)
		}
		last := plan.Costs[len(plan.Costs)-1]
		most := uint64(1_200_000) // us
		if to < 1<<44 {
			most = 8_000
		}
		if perUnit := last.Micros / last.Unit; perUnit > most {
			t.Fatalf("a unit of %s costs %d us", canonical, perUnit)
		}
	})
}

func TestEstimate(t *testing.T) {
	tests := []struct {
		window
		want float64
	}{
		{window{0, 1e6}, 78498},
		{window{0, 1e9}, 50847534},
		{window{0, math.MaxUint64}, 425656284035217743},
		{window{1e12, 1e12 + 1e9}, 36190991},
		{window{0, 30}, 10},
	}
	for _, tt := range tests {
		if got := float64(tt.estimate()); math.Abs(got-tt.want) > tt.want*0.02+4 {
			t.Errorf("%v: %v, want about %v", tt.window, got, tt.want)
		}
	}
}

func TestUint128(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Uint64Max(math.MaxUint64/sieve.Turn-100).Draw(t, "base")
		segment := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "segment")
		var got uint128
		g := sieve.Segment{Base: base, Bytes: segment}
		got.addSegment(g)
		want := new(big.Int)
		g.Each(func(n uint64) { want.Add(want, new(big.Int).SetUint64(n)) })
		if got.String() != want.String() {
			t.Fatalf("%s, want %s", got, want)
		}
		const d = 1_000_000
		if over := got.over(d); want.Quo(want, big.NewInt(d)).IsUint64() && over != want.Uint64() {
			t.Fatalf("over %d is %d, want %s", d, over, want)
		}
	})
	if (uint128{hi: 5}).over(5) != math.MaxUint64 {
		t.Error("a quotient of 65 bits is not the largest")
	}
}
