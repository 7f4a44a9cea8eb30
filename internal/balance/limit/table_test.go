package limit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/limit"
	"github.com/polymath-run/polymath/internal/balance/limit/limittest"
)

func TestTable(t *testing.T) {
	limittest.Run(t, func(*testing.T) limit.Store { return limit.NewTable(0) })
}

// TestTableIsBounded fills a table many times over: it never holds more than it
// may, and the keys that are used go on being remembered.
func TestTableIsBounded(t *testing.T) {
	const keys = 1024
	table := limit.NewTable(keys)
	rule := limit.Rule{Name: "r", Limit: 1, Window: time.Hour}
	for i := range 20 * keys {
		if i%8 == 0 {
			if d := table.Take(&rule, limit.Key{Text: "used"}, time.Second); d.Allowed != (i == 0) {
				t.Fatalf("the key that is always used, at request %d: %+v", i, d)
			}
		}
		table.Take(&rule, limit.Key{Text: fmt.Sprint(i)}, time.Second)
		if n := table.Usage().Keys; n > keys {
			t.Fatalf("%d keys, at most %d may be", n, keys)
		}
	}
	if u := table.Usage(); u.Keys != keys || u.Forgotten != 20*keys+1-keys {
		t.Errorf("%+v, want %d keys and the others forgotten", u, keys)
	}
}

func TestTableAllocatesNothing(t *testing.T) {
	table := limit.NewTable(1024)
	rules := []limit.Rule{
		{Name: "a", Limit: 10, Window: time.Second},
		{Name: "b", Algorithm: limit.SlidingWindow, Limit: 10, Window: time.Second},
	}
	texts := make([]string, 4096) // four times what fits: keys are forgotten all the time
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	n, address := 0, netip.MustParseAddr("192.0.2.1")
	take := func() {
		n++
		table.Take(&rules[n%2], limit.Key{Address: address, Text: texts[n%len(texts)]}, time.Duration(n))
	}
	for range 3 * len(texts) {
		take()
	}
	if got := testing.AllocsPerRun(10_000, take); got != 0 {
		t.Errorf("%v allocations a request, want none", got)
	}
}

func BenchmarkTake(b *testing.B) {
	for _, algorithm := range []limit.Algorithm{limit.TokenBucket, limit.SlidingWindow} {
		b.Run(algorithm.String(), func(b *testing.B) {
			table := limit.NewTable(0)
			rule := limit.Rule{Name: "r", Algorithm: algorithm, Limit: 1000, Window: time.Second}
			key := limit.Key{Address: netip.MustParseAddr("192.0.2.1")}
			b.ReportAllocs()
			for i := range b.N {
				table.Take(&rule, key, time.Duration(i)*time.Microsecond)
			}
		})
	}
}
