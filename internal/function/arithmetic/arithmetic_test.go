package arithmetic

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/functiontest"
	"github.com/polymath-run/polymath/internal/number"
)

// Cites W4: the operations, and what they refuse.

func TestConformance(t *testing.T) {
	inputs := []string{
		`{"a":"-1_000","b":"2^10"}`,
		`{"a":2.5e-3,"b":"7"}`,
		`{"pairs":[[1,2],[-3,4],["0.5",5],[6,7],[2,10]]}`,
	}
	for _, f := range Functions() {
		t.Run(f.Describe().Name, func(t *testing.T) {
			functiontest.Conformance(t, f, functiontest.Samples{Inputs: inputs})
		})
	}
}

func FuzzPlan(f *testing.F) {
	seeds := []string{`{"pairs":[[1,2],["2^40",-5]]}`, `{"a":2,"b":40000}`, `{"a":1e9999,"b":1e9999}`, `{"a":0,"b":-1}`}
	functiontest.Fuzz(f, every{}, seeds...)
}

// every plans with all five functions and answers for the last that took the
// input, so that one fuzz test reaches all of them.
type every struct{ function.Function }

func (every) Describe() function.Description { return power().Describe() }

func (every) Plan(data []byte) (canonical []byte, plan polymath.Plan, err error) {
	for _, f := range Functions() {
		if canonical, plan, err = f.Plan(data); err != nil {
			return nil, polymath.Plan{}, err
		}
	}
	return canonical, plan, nil
}

func (every) Answer(data, accumulator []byte) (json.RawMessage, error) {
	return power().Answer(data, accumulator)
}

func TestAnswers(t *testing.T) {
	nines := strings.Repeat("9", 5000)
	tests := []struct {
		f          Function
		a, b, want string
	}{
		{add(), `1`, `2`, `3`},
		{add(), `"9007199254740992"`, `1`, `"9007199254740993"`},
		{add(), `1e-10`, `1`, `1.0000000001`},
		{subtract(), `1`, `1`, `0`},
		{subtract(), `1`, `2.5`, `-1.5`},
		{multiply(), `-3`, `0.5`, `-1.5`},
		{multiply(), `"` + nines + `"`, `0`, `0`},
		{divide(), `10`, `4`, `2.5`},
		{divide(), `-6`, `3`, `-2`},
		{divide(), `0`, `7`, `0`},
		{divide(), `2`, `-3`, `{"rounded":"-0.6666666666666666666666666666666667","exact":"-2/3"}`},
		{divide(), `1`, `"2^20"`, `"0.00000095367431640625"`},
		{power(), `2`, `10`, `1024`},
		{power(), `2`, `-2`, `0.25`},
		{power(), `3`, `-1`, `{"rounded":"0.3333333333333333333333333333333333","exact":"1/3"}`},
		{power(), `-2`, `-3`, `-0.125`},
		{power(), `1.5`, `2`, `2.25`},
		{power(), `0`, `0`, `1`},
		{power(), `0`, `1e9`, `0`},
		{power(), `-1`, `1e9`, `1`},
		{power(), `-1`, `"1000000000000000000001"`, `-1`},
		{power(), `1`, `-1e100`, `1`},
	}
	for _, tt := range tests {
		input := fmt.Sprintf(`{"a":%s,"b":%s}`, tt.a, tt.b)
		if got := functiontest.Answer(t, tt.f, input); got != tt.want {
			t.Errorf("%s %.60s is %.90s, want %s", tt.f.operation.name, input, got, tt.want)
		}
	}
}

func TestLists(t *testing.T) {
	got := functiontest.Answer(t, divide(), `{"pairs":[[1,2],[1,3],[6,3]]}`)
	want := `[0.5,{"rounded":"0.3333333333333333333333333333333333","exact":"1/3"},2]`
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A job that went on without its second unit says so in its place.
func TestAnswerWithoutDeadUnit(t *testing.T) {
	got, err := add().Answer([]byte(`{"pairs":[[1,2],[3,4],[5,6]]}`), []byte("0 3\n2 11\n"))
	if err != nil || string(got) != `[3,null,11]` {
		t.Errorf("%s, %v", got, err)
	}
	got, err = add().Answer([]byte(`{"a":1,"b":2}`), nil)
	if err != nil || string(got) != `null` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := add().Answer([]byte(`{"a":1,"b":2}`), []byte("0 x\n")); polymath.CodeOf(err) != polymath.Internal {
		t.Errorf("a damaged result: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	nines := `"` + strings.Repeat("9", number.MaxDigits) + `"`
	tests := []struct {
		f            Function
		input, names string
	}{
		{add(), `{"a":1}`, `"b" is missing`},
		{add(), `{"b":1}`, `"a" is missing`},
		{add(), `{}`, `"a" is missing`},
		{add(), `{"a":1,"pairs":[[1,2]]}`, `either`},
		{add(), `{"pairs":[]}`, `"pairs" is an empty list`},
		{add(), `{"pairs":[[1,2],[1,"x"]]}`, `"pairs[1]": "x" is no number`},
		{add(), `{"pairs":[[1,2],[1,2,3]]}`, `"pairs[1]": a pair has 2 numbers, not 3`},
		{add(), `{"pairs":[[1,null]]}`, `pairs[0]`},
		{add(), `{"pairs":[7]}`, `pairs[0]`},
		{add(), `{"a":` + nines + `,"b":1}`, "too long"},
		{multiply(), `{"a":` + nines + `,"b":10}`, "at most 10000 digits"},
		{multiply(), `{"a":1e-6000,"b":1e-6000}`, "too long"},
		{divide(), `{"a":1,"b":0}`, `"b": division by zero`},
		{divide(), `{"pairs":[[1,2],[0,0.00]]}`, `"pairs[1]": division by zero`},
		{power(), `{"a":0,"b":-1}`, `division by zero`},
		{power(), `{"a":2,"b":0.5}`, `exponent must be a whole number, not 0.5`},
		{power(), `{"a":2,"b":33220}`, `too long`}, // 2^33220 has 10,001 digits
		{power(), `{"a":2,"b":1e1000}`, `too long`},
		{power(), `{"a":0.5,"b":-1e18}`, `too long`},
		{power(), `{"a":0.1,"b":10001}`, `too long`},
		{power(), `{"pairs":[` + strings.Repeat(`[2,30000],`, 100) + `[1,1]]}`, "the results of the first 8 pairs"},
		{add(), `{"pairs":[` + strings.Repeat(`[1,1],`, 8000) + `[1,1]]}`, "8001 elements"},
	}
	for _, tt := range tests {
		functiontest.Refused(t, tt.f, tt.input, tt.names)
	}
}

func TestTheLargestResult(t *testing.T) {
	for _, input := range []string{`{"a":2,"b":33219}`, `{"a":10,"b":9999}`, `{"a":0.1,"b":10000}`} {
		got := functiontest.Answer(t, power(), input)
		if digits := len(strings.Trim(got, `"`)); digits < number.MaxDigits || digits > number.MaxDigits+2 {
			t.Errorf("%s has %d digits", input, digits)
		}
	}
}

// decimals draws a number as text.
func decimals() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		unscaled := rapid.Int64().Draw(t, "unscaled")
		return fmt.Sprintf("%de%d", unscaled, rapid.IntRange(-30, 30).Draw(t, "exponent"))
	})
}

// apply computes with an operation, as a unit does.
func apply(t *rapid.T, f Function, a, b *big.Rat) *big.Rat {
	a, b = new(big.Rat).Set(a), new(big.Rat).Set(b)
	bound := f.operation.size(a, b)
	r := f.operation.compute(a, b)
	if size := len(r.RatString()); size > bound {
		t.Fatalf("%s: a result of %d bytes, size said %d", f.operation.name, size, bound)
	}
	return r
}

func TestInverses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *big.Rat {
			d, err := number.ParseDecimal(decimals().Draw(t, name))
			if err != nil {
				t.Fatal(err)
			}
			return d.Rat()
		}
		a, b := draw("a"), draw("b")
		if back := apply(t, subtract(), apply(t, add(), a, b), b); back.Cmp(a) != 0 {
			t.Fatalf("a + b - b is %v", back)
		}
		if b.Sign() == 0 {
			return
		}
		if back := apply(t, divide(), apply(t, multiply(), a, b), b); back.Cmp(a) != 0 {
			t.Fatalf("a * b / b is %v", back)
		}
		if back := apply(t, multiply(), apply(t, divide(), a, b), b); back.Cmp(a) != 0 {
			t.Fatalf("a / b * b is %v", back)
		}
	})
}

func TestPowerIsRepeatedMultiplication(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := big.NewRat(rapid.Int64Range(-20, 20).Draw(t, "a"), rapid.SampledFrom([]int64{1, 2, 5, 10}).Draw(t, "scale"))
		n := rapid.Int64Range(-30, 30).Draw(t, "n")
		if a.Sign() == 0 && n < 0 {
			return
		}
		want := big.NewRat(1, 1)
		for range max(n, -n) {
			want = apply(t, multiply(), want, a)
		}
		if n < 0 {
			want.Inv(want)
		}
		if got := apply(t, power(), a, big.NewRat(n, 1)); got.Cmp(want) != 0 {
			t.Fatalf("%v^%d is %v, want %v", a, n, got, want)
		}
	})
}
