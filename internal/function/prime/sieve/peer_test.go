package sieve

import (
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// The published count of the primes to 10^11, by several goroutines.
func TestPublishedCountFarther(t *testing.T) {
	if testing.Short() {
		t.Skip("sieves to 10^11: ten seconds of one core")
	}
	const to, want, parts = 100_000_000_000, 4_118_054_813, 64 // OEIS A006880
	p := NewPool()
	var next, total atomic.Uint64
	total.Add(3) // 2, 3 and 5 are not in the wheel
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := next.Add(1); i <= parts; i = next.Add(1) {
				w := Window{From: (i - 1) * to / parts, To: i*to/parts - 1}
				if err := p.Visit(t.Context(), w, func(g Segment) error { total.Add(g.Count()); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := total.Load(); got != want {
		t.Errorf("pi(10^11) is %d, want %d", got, want)
	}
}

// Random windows beside the program primesieve, where that is installed.
func TestWindowsBesidePrimesieve(t *testing.T) {
	program, err := exec.LookPath("primesieve")
	if err != nil {
		t.Skip("SKIPPED: primesieve is not installed (Debian: apt-get install primesieve)")
	}
	p := NewPool()
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.Uint64Range(7, math.MaxUint64>>rapid.IntRange(14, 60).Draw(r, "shift")).Draw(r, "from")
		w := Window{From: from, To: from + rapid.Uint64Max(20_000_000).Draw(r, "span")}
		out, err := exec.CommandContext(t.Context(), program, fmt.Sprint(w.From), fmt.Sprint(w.To), "--quiet", "--no-status", "--threads=1").Output()
		if err != nil {
			r.Fatalf("%v", err)
		}
		want := strings.TrimSpace(strings.TrimPrefix(string(out), "Primes:"))
		if got := fmt.Sprint(count(r, p, w)); got != want {
			r.Fatalf("from %d to %d: %s primes, primesieve counts %s", w.From, w.To, got, want)
		}
	})
}
