package verified

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/certificate"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/functiontest"
	"github.com/polymath-run/polymath/internal/function/prime"
	"github.com/polymath-run/polymath/internal/function/primecount"
)

func fresh() *Function { return New(prime.NewPrimes(), primecount.New()) }

func TestConformance(t *testing.T) {
	functiontest.Conformance(t, fresh(), functiontest.Samples{
		Contradiction: "the two methods disagree",
		Inputs: []string{
			`{"to":1e6,"verify":false}`,
			`{"to":1e5,"what":"sum"}`,
			`{"from":0,"to":0,"verify":true}`,
			`{"from":1,"to":"2","verify":true}`,
			`{"from":3e6,"to":9e6,"verify":true,"what":"count"}`,
			`{"from":2e10,"to":20002000000,"verify":true}`,
		},
		Endless: `{"to":1e18,"verify":true}`,
	})
}

func FuzzPlan(f *testing.F) {
	functiontest.Fuzz(f, fresh(), `{"to":1e6,"verify":true}`, `{"to":1,"verify":"x"}`, `{"verify":true}`, `{"to":1e19,"verify":true}`)
}

func TestRefusals(t *testing.T) {
	for in, names := range map[string]string{
		`{"to":10,"verify":"yes"}`:                 "verify",
		`{"to":10,"verify":true,"what":"sum"}`:     "what",
		`{"to":10,"verify":true,"what":"list"}`:    "verify",
		`{"to":1000000000000000001,"verify":true}`: "to",
		`{"from":5,"to":4,"verify":true}`:          "from",
	} {
		functiontest.Refused(t, fresh(), in, names)
	}
}

// certified answers a verified count and reads its certificate.
func certified(t interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}, f *Function, in string) (*certificate.Certificate, string) {
	t.Helper()
	answer := functiontest.Answer(t, f, in)
	c, err := certificate.Decode([]byte(answer))
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return c, answer
}

// every lists the parts of a certificate.
func every(c *certificate.Certificate) (parts []int) {
	for i := range c.Sieve.Parts {
		parts = append(parts, i)
	}
	return parts
}

func TestACountCarriesACertificateThatHolds(t *testing.T) {
	f := fresh()
	c, answer := certified(t, f, `{"to":1e8,"verify":true}`)
	if !strings.HasPrefix(answer, `{"count":5761455,"verified":true,"certificate":{`) || c.Count.String() != "5761455" || len(c.Sieve.Parts) != maxParts {
		t.Errorf("%.100s, %d parts", answer, len(c.Sieve.Parts))
	}
	var last, all uint64
	err := f.Check(context.Background(), c, every(c), 2, func(done, total uint64) {
		if done <= last || done > total {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last, all = done, total
	})
	if err != nil || last != all || all == 0 {
		t.Errorf("%v after %d of %d", err, last, all)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Check(ctx, c, nil, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Who changes a certificate and everything that depends on it, digest and all,
// is found out by counting again.
func TestForgedCertificatesAreFound(t *testing.T) {
	f := fresh()
	more := func(n *certificate.Part, by int64) {
		n.Count = certificate.Integer(uint64(new(big.Int).Add(n.Count.Big(), big.NewInt(by)).Int64()))
	}
	tests := []struct {
		name  string
		forge func(c *certificate.Certificate)
		parts []int
		want  polymath.Code
		text  string
	}{
		{"a prime more everywhere", func(c *certificate.Certificate) {
			more(&c.Sieve.Parts[0], 1)
			c.Count = certificate.Integer(c.Count.Big().Uint64() + 1)
			c.Formula.Points[0].Primes = certificate.Integer(c.Formula.Points[0].Primes.Big().Uint64() + 1)
		}, nil, polymath.Conflict, "primes up to 9000000"},
		{"a prime moved", func(c *certificate.Certificate) {
			more(&c.Sieve.Parts[0], 1)
			more(&c.Sieve.Parts[1], -1)
		}, []int{0}, polymath.Conflict, "count of part"},
		{"a checksum", func(c *certificate.Certificate) {
			c.Sieve.Parts[1].Checksum = certificate.Integer(1)
		}, []int{1}, polymath.Conflict, "checksum of part"},
		{"both points", func(c *certificate.Certificate) {
			for i := range c.Formula.Points {
				c.Formula.Points[i].Primes = certificate.Integer(c.Formula.Points[i].Primes.Big().Uint64() + 5)
			}
		}, nil, polymath.Conflict, "primes up to"},
		{"another function", func(c *certificate.Certificate) { c.Function = "twins" }, nil, polymath.InvalidArgument, "twins"},
		{"a later version", func(c *certificate.Certificate) { c.Sieve.Version++ }, nil, polymath.InvalidArgument, "version"},
		{"another method", func(c *certificate.Certificate) { c.Sieve.Method = "crystal ball" }, nil, polymath.InvalidArgument, "crystal ball"},
		{"another formula", func(c *certificate.Certificate) { c.Formula.Method = "guess" }, nil, polymath.InvalidArgument, "guess"},
		{"more units", func(c *certificate.Certificate) { c.Sieve.Parts[0].Units = certificate.Integer(77) }, nil, polymath.InvalidArgument, "77 units"},
		{"another border", func(c *certificate.Certificate) {
			c.Sieve.Parts[0].To = certificate.Integer(c.Sieve.Parts[0].To.Big().Uint64() + 1)
			c.Sieve.Parts[1].From = certificate.Integer(c.Sieve.Parts[1].From.Big().Uint64() + 1)
		}, nil, polymath.InvalidArgument, "part 0"},
		{"other parts", func(c *certificate.Certificate) {
			c.Sieve.Parts[1].From = c.Sieve.Parts[0].From
			c.Sieve.Parts[1].Count = c.Count
			c.Sieve.Parts = c.Sieve.Parts[1:2]
			c.Sieve.Parts[0].To = c.To
		}, nil, polymath.InvalidArgument, "1 parts"},
	}
	for _, tt := range tests {
		c, _ := certified(t, f, `{"from":3e6,"to":9e6,"verify":true}`)
		tt.forge(c)
		if err := c.Seal(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		err := f.Check(context.Background(), c, tt.parts, 2, nil)
		if polymath.CodeOf(err) != tt.want || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// liar counts a prime too many.
type liar struct{ *prime.Primes }

func (l liar) Run(ctx context.Context, task function.Task) ([]byte, error) {
	if task.Interval.From > 0 {
		return l.Primes.Run(ctx, task)
	}
	return []byte("78499"), nil
}

func TestMethodsThatDisagreeGiveNoAnswer(t *testing.T) {
	f := New(liar{prime.NewPrimes()}, primecount.New())
	canonical, plan, err := f.Plan([]byte(`{"to":1e6,"verify":true}`))
	if err != nil {
		t.Fatal(err)
	}
	output, err := f.Run(context.Background(), function.Task{Input: canonical, Interval: polymath.Interval{To: plan.Units}, Progress: func(uint64) {}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := f.Answer(canonical, output); polymath.CodeOf(err) != polymath.Internal || !strings.Contains(err.Error(), "disagree") {
		t.Errorf("%s, %v", answer, err)
	}
}

// Without all units there is a count but no certificate.
func TestMissingUnits(t *testing.T) {
	f := fresh()
	canonical, plan, err := f.Plan([]byte(`{"to":1e6,"verify":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for unit := range plan.Units {
		output, err := f.Run(context.Background(), function.Task{Input: canonical, Interval: polymath.Interval{From: unit, To: unit + 1}, Progress: func(uint64) {}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := f.Answer(canonical, output)
		if err != nil || strings.Contains(string(answer), "certificate") || !json.Valid(answer) {
			t.Errorf("of unit %d alone: %s, %v", unit, answer, err)
		}
	}
	for _, accumulator := range []string{"x", "-1", "1" + strings.Repeat("0", 4000)} {
		if _, err := f.Answer(canonical, []byte(accumulator)); polymath.CodeOf(err) != polymath.Internal {
			t.Errorf("%.20s: %v", accumulator, err)
		}
	}
	if answer, err := f.Answer(canonical, nil); err != nil || string(answer) != `{"count":0,"verified":false}` {
		t.Errorf("of nothing: %s, %v", answer, err)
	}
}

// The sieve and the formula agree on ranges anywhere, and so the certificate
// seals: two independent algorithms.
func TestMethodsAgreeOnRandomRanges(t *testing.T) {
	f := fresh()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Uint64Range(0, 20_000_000_000).Draw(t, "from")
		to := from + rapid.Uint64Range(0, 5_000_000).Draw(t, "width")
		in, err := json.Marshal(map[string]any{"from": from, "to": to, "verify": true})
		if err != nil {
			t.Fatalf("%v", err)
		}
		certified(t, f, string(in))
	})
}

func TestTallyPacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newTally(), newTally()
		for i := range a.slots {
			a.add(i, rapid.Uint64().Draw(t, "a"))
			b.add(i, rapid.Uint64().Draw(t, "b"))
		}
		x, _ := new(big.Int).SetString(string(a.pack()), 10)
		y, _ := new(big.Int).SetString(string(b.pack()), 10)
		sum, err := unpack([]byte(x.Add(x, y).String()))
		if err != nil {
			t.Fatalf("%v", err)
		}
		for i := range sum.slots {
			if want := new(big.Int).Add(a.slots[i], b.slots[i]); sum.slots[i].Cmp(want) != 0 {
				t.Fatalf("slot %d is %d, want %d", i, sum.slots[i], want)
			}
		}
	})
}
