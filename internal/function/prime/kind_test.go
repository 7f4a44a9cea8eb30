package prime

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/function/functiontest"
)

// Published counts of tuplets below powers of ten: OEIS A007508 (twins),
// A050258 (quadruplets), and primesieve 11.0 for the others.
func TestPublishedTuplets(t *testing.T) {
	counts := map[string]map[string]string{
		"twins": {
			`1`: `0`, `4`: `0`, `5`: `1`, `6`: `1`, `7`: `2`, `10`: `2`, `100`: `8`, `1e3`: `35`, `1e4`: `205`, `1e5`: `1224`,
			`1e6`: `8169`, `1e7`: `58980`, `1e8`: `440312`,
		},
		"triplets":    {`10`: `0`, `11`: `1`, `1e8`: `111156`},
		"quadruplets": {`10`: `0`, `13`: `1`, `100`: `2`, `1e3`: `5`, `1e4`: `12`, `1e5`: `38`, `1e6`: `166`, `1e7`: `899`, `1e8`: `4768`},
		"quintuplets": {`16`: `0`, `17`: `1`, `1e8`: `1383`},
		"sextuplets":  {`22`: `0`, `23`: `1`, `1e8`: `82`},
	}
	p := NewPrimes()
	for what, table := range counts {
		for to, want := range table {
			if got := functiontest.Answer(t, p, `{"what":"`+what+`","to":`+to+`}`); got != want {
				t.Errorf("%s to %s: %s, want %s", what, to, got, want)
			}
		}
	}
}

// Maximal gaps: OEIS A005250 and A002386.
func TestPublishedGaps(t *testing.T) {
	p := NewPrimes()
	for _, tt := range []struct{ input, want string }{
		{`{"to":2}`, `null`},
		{`{"to":3}`, `{"gap":1,"from":2,"to":3}`},
		{`{"to":5}`, `{"gap":2,"from":3,"to":5}`},
		{`{"from":24,"to":28}`, `null`},
		{`{"to":1e6}`, `{"gap":114,"from":492113,"to":492227}`},
		{`{"to":1e8}`, `{"gap":220,"from":47326693,"to":47326913}`},
		{`{"to":1e9}`, `{"gap":282,"from":436273009,"to":436273291}`},
		{`{"from":"18361375334787046697","to":"18361375334787048247"}`,
			`{"gap":1550,"from":"18361375334787046697","to":"18361375334787048247"}`},
		{`{"from":"18446744073709551533","to":"18446744073709551615"}`,
			`{"gap":24,"from":"18446744073709551533","to":"18446744073709551557"}`},
	} {
		input := tt.input[:len(tt.input)-1] + `,"what":"gap"}`
		if got := functiontest.Answer(t, p, input); got != tt.want {
			t.Errorf("%s: %s, want %s", input, got, tt.want)
		}
	}
}

// Every kind against what the list of the primes says.
func TestKindsAgainstNaive(t *testing.T) {
	p := NewPrimes()
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(1, 64).Draw(t, "bits")
		from := rapid.Uint64Max(math.MaxUint64>>(64-bits)).Draw(t, "from")
		w := window{from, from + min(rapid.Uint64Max(3000).Draw(t, "span"), math.MaxUint64-from)}
		primes := naive(w)
		in := make(map[uint64]bool)
		for _, n := range primes {
			in[n] = true
		}
		for _, what := range []string{twinsOf, tripletsOf, quadrupletsOf, quintupletsOf, sextupletsOf} {
			want := 0
			for _, n := range primes {
				for _, tuplet := range tuplets(what) {
					whole := true
					for _, distance := range tuplet {
						whole = whole && in[n+distance]
					}
					if whole {
						want++
					}
				}
			}
			if got := functiontest.Answer(t, p, w.input(what)); got != fmt.Sprint(want) {
				t.Fatalf("%v: %s %s, want %d", w, got, what, want)
			}
		}
		var gap, after uint64
		for i := range max(len(primes), 1) - 1 {
			if g := primes[i+1] - primes[i]; g > gap {
				gap, after = g, primes[i]
			}
		}
		var got struct {
			Gap      uint64
			From, To json.Number
		}
		answer := functiontest.Answer(t, p, w.input(gapOf))
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatal(err)
		}
		if got.Gap != gap || gap > 0 && (got.From.String() != fmt.Sprint(after) || got.To.String() != fmt.Sprint(after+gap)) {
			t.Fatalf("%v: %s, want %d after %d", w, answer, gap, after)
		}
	})
}

// input asks for something in the window.
func (w window) input(what string) string {
	return fmt.Sprintf(`{"from":"%d","to":"%d","what":"%s"}`, w.from, w.to, what)
}
