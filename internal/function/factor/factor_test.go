package factor

import (
	"context"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function/functiontest"
	"github.com/polymath-run/polymath/internal/primality"
)

func TestConformance(t *testing.T) {
	functiontest.Conformance(t, New(), functiontest.Samples{
		Inputs: []string{
			`{"n":1}`,
			`{"n":"2^64","limit":"0s"}`,
			`{"numbers":[1,2,3,4,"18446744073709551615",1e18,"2^61",97]}`,
			`{"numbers":["340282366920938463463374607431768211457",12],"limit":"1ms"}`,
		},
		Endless: `{"numbers":[` + strings.Repeat(`"1000000000000000000000000000140000000000000000000000000002379",`, 99) + `1],"limit":"2m"}`,
	})
}

func FuzzPlan(f *testing.F) {
	functiontest.Fuzz(f, New(), `{"n":0}`, `{"n":12,"limit":"1s"}`, `{"numbers":[1,2],"limit":"-1s"}`)
}

func TestAnswers(t *testing.T) {
	for in, want := range map[string]string{
		`{"n":1}`:                      `{"factors":[]}`,
		`{"n":2}`:                      `{"factors":[2]}`,
		`{"n":720}`:                    `{"factors":[2,2,2,2,3,3,5]}`,
		`{"n":"18446744073709551557"}`: `{"factors":["18446744073709551557"]}`,
		`{"n":"18446744073709551615"}`: `{"factors":[3,5,17,257,641,65537,6700417]}`,
		`{"n":"18446744030759878681"}`: `{"factors":[4294967291,4294967291]}`,
		`{"n":"2^70"}`:                 `{"factors":[` + strings.Repeat("2,", 69) + `2]}`,
		`{"n":"18446744073709551617"}`: `{"factors":[274177,67280421310721]}`, // F6
		`{"n":"36893488147419103258"}`: `{"factors":[2],"probable":{"factors":["18446744073709551629"],"error":"4^-20"}}`,
		`{"n":"340282366920938463463374607431768211457","limit":"0s"}`:// F7
		`{"factors":[],"composite":["340282366920938463463374607431768211457"]}`,
		`{"numbers":[6,"680564733841876926926749214863536422914"],"limit":"0s"}`: `[{"factors":[2,3]},` +
			`{"factors":[2],"composite":["340282366920938463463374607431768211457"]}]`,
	} {
		if got := functiontest.Answer(t, New(), in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for in, names := range map[string]string{
		`{"n":0}`:               "from 1",
		`{"n":-6}`:              "n",
		`{"n":"1e1000"}`:        "1000 digits",
		`{"n":6,"limit":"3m"}`:  "limit",
		`{"n":6,"limit":7}`:     "limit",
		`{"numbers":[4,0]}`:     "numbers[1]",
		`{"n":1,"numbers":[1]}`: "numbers",
		`{"numbers":[` + strings.Repeat("1,", MaxNumbers) + `1]}`:                       "1001 elements",
		`{"numbers":[` + strings.Repeat(`"1`+strings.Repeat("0", 999)+`",`, 29) + `1]}`: "numbers",
	} {
		functiontest.Refused(t, New(), in, names)
	}
}

// The factors are prime and their product is the number.
func TestWord(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, n uint64) {
		product := uint64(1)
		for _, p := range word(n) {
			if !primality.IsPrime(p) {
				t.Fatalf("%d: %d is not prime", n, p)
			}
			product *= p
		}
		if product != n {
			t.Fatalf("the factors of %d make %d", n, product)
		}
	}
	for n := uint64(1); n < 100_000; n++ {
		check(t, n)
	}
	for _, n := range []uint64{1 << 63, math.MaxUint64, math.MaxUint64 - 58, 4294967291 * 4294967291, 65537 * 65537 * 65521, 3825123056546413051} {
		check(t, n)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.Uint64Min(1).Draw(t, "n"))
		p := rapid.Uint64Range(2, math.MaxUint32).Draw(t, "p")
		check(t, p*p)
		check(t, p*rapid.Uint64Range(1, math.MaxUint32).Draw(t, "q"))
	})
}

// What is found of a number beyond 64 bits makes the number, and its text says
// the same and is no longer than planned for.
func TestTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := big.NewInt(1)
		for range rapid.IntRange(1, 6).Draw(t, "factors") {
			p := rapid.Uint64Range(1, 1<<rapid.IntRange(1, 40).Draw(t, "bits")).Draw(t, "factor")
			n.Mul(n, new(big.Int).SetUint64(p))
		}
		limit := rapid.SampledFrom([]time.Duration{0, 1, time.Millisecond, time.Minute}).Draw(t, "limit")
		if limit == time.Minute {
			limit = 10 * time.Second
		}
		f, err := take(context.Background(), n, limit)
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		text := f.text()
		if len(text) > maxText(len(n.String())) {
			t.Fatalf("%d: %q is longer than %d", n, text, maxText(len(n.String())))
		}
		a, err := parse(text, "e")
		if err != nil {
			t.Fatalf("%d: %q: %v", n, text, err)
		}
		product := big.NewInt(1)
		for _, p := range a.Factors {
			product.Mul(product, p.Big())
			if !p.Big().ProbablyPrime(0) {
				t.Fatalf("%d: %s is not prime", n, p)
			}
		}
		if a.Probable != nil {
			for _, p := range a.Probable.Factors {
				product.Mul(product, p.Big())
			}
		}
		for _, c := range a.Composite {
			product.Mul(product, c.Big())
			if c.Big().IsUint64() || c.Big().ProbablyPrime(0) {
				t.Fatalf("%d: %s is left as composite", n, c)
			}
		}
		if product.Cmp(n) != 0 {
			t.Fatalf("the factors of %d make %d", n, product)
		}
	})
}

func TestMaxTextHoldsForSmallNumbers(t *testing.T) {
	for n := uint64(1); n < 1_000_000; n += 1 + n/1000 {
		for _, m := range []uint64{n, n * 30, n * 420, 614889782588491410, 6469693230} {
			f, err := take(context.Background(), new(big.Int).SetUint64(m), 0)
			if err != nil {
				t.Fatal(err)
			}
			if text := f.text(); len(text) > maxText(len(new(big.Int).SetUint64(m).String())) {
				t.Fatalf("%d: %q", m, text)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "x", "2 ", "2^", "2^0", "2^-1", "2^99999999", "?", "!x", "2^x"} {
		if _, err := parse(text, ""); polymath.CodeOf(err) != polymath.Internal {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTakeIsInterruptible(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n, _ := new(big.Int).SetString("1000000000000000000000000000140000000000000000000000000002379", 10)
	if _, err := take(ctx, n, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	w := walk{search: &search{steps: math.MaxUint64}, n: n, c: big.NewInt(1)}
	if _, err := w.cycle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func BenchmarkWord(b *testing.B) {
	for b.Loop() {
		word(4294967291 * 4294967279)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, exponent := range []uint{127, 521, 1279, 3217} { // of Mersenne primes: no factor ends the walk
		n := new(big.Int).Lsh(big.NewInt(1), exponent)
		n.Sub(n, big.NewInt(1))
		b.Run(strconv.Itoa(int(exponent)), func(b *testing.B) {
			w := walk{search: &search{steps: uint64(b.N)}, n: n, c: big.NewInt(1)}
			if _, err := w.cycle(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
