package pick

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// tableFlight is how many requests are in flight all the time in the table.
const tableFlight = 1000

// TestTable prints the table of DESIGN.md (go test -v -run TestTable) and fails
// where DESIGN.md has another one, or a policy is worse than it may be. Peak EWMA
// counts with exponentials, whose last bit is the machine's: its rows are held to
// a bound only.
func TestTable(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(Names(), "slot-map mixed") {
		for _, n := range []int{3, 10, 50} {
			row := survey(t, name, n)
			line := fmt.Sprintf("| %s | %d | %.1f %% | %.2f | %.1f %% | %.1f %% | %.1f %% |", name, n,
				100*row.deviation, row.largest, 100*row.moved, 100/float64(n+1), 100*row.needless)
			t.Log(line)
			if name != "peak-ewma" && !strings.Contains(string(text), line+"\n") {
				t.Errorf("DESIGN.md has no line %s", line)
			}
			if most, ok := worst(name); ok && row.deviation > most {
				t.Errorf("%s, %d backends: deviation %.3f, at most %.3f is promised", name, n, row.deviation, most)
			}
		}
	}
}

// worst is the most that shares may deviate, as a part of the mean; the slot map
// promises nothing. Chance alone makes 100,000 requests on 50 backends deviate by
// 2.2 %.
func worst(name string) (float64, bool) {
	switch name {
	case "ring", "bounded-ring":
		return 0.12, true
	case "maglev", "rendezvous", "random":
		return 0.03, true
	case "peak-ewma":
		return 0.05, true
	case "round-robin", "weighted-round-robin", "least-connections":
		return 0.001, true
	default:
		return 0, false
	}
}

// shape is one row of the table, as parts of one.
type shape struct {
	deviation float64 // standard deviation of shares by the mean
	largest   float64 // largest share by the mean
	moved     float64 // keys moved when one more comes, of all keys
	needless  float64 // of these, keys that went from one that stayed to another
}

// survey sends each of sampleKeys keys once to n backends, and once more after
// one more has come.
func survey(t *testing.T, name string, n int) shape {
	t.Helper()
	s := &surveyor{policy: tablePolicy(t, name), backends: fleet(n + 1), random: rand.New(rand.NewPCG(7, 8))}
	update(t, s.policy, s.backends[:n])
	before := s.places()
	update(t, s.policy, s.backends)
	moved, needless := moves(before, s.places(), "", s.backends[n].Name)
	got := make(map[string]float64)
	for _, place := range before {
		got[place]++
	}
	mean, squares, largest := float64(sampleKeys)/float64(n), 0.0, 0.0
	for _, b := range s.backends[:n] {
		squares += (got[b.Name] - mean) * (got[b.Name] - mean)
		largest = max(largest, got[b.Name]/mean)
	}
	return shape{
		deviation: math.Sqrt(squares/float64(n)) / mean,
		largest:   largest,
		moved:     float64(moved) / sampleKeys,
		needless:  float64(needless) / sampleKeys,
	}
}

func tablePolicy(t *testing.T, name string) Policy {
	t.Helper()
	if name != "slot-map mixed" {
		return fresh(t, name)
	}
	hash, err := NamedSlotHash("mixed")
	if err != nil {
		t.Fatal(err)
	}
	probe, err := NamedProbe("quadratic")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewSlotMap(hash, probe)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// surveyor keeps tableFlight requests in flight, of which the oldest ends as a
// new one begins.
type surveyor struct {
	policy   Policy
	backends []Backend
	random   *rand.Rand
	flight   []string
	now      time.Duration
}

func (s *surveyor) places() []string {
	out := make([]string, sampleKeys)
	for key := range out {
		s.now += 10 * time.Microsecond
		if len(s.flight) == tableFlight {
			s.policy.Done(Outcome{Name: s.flight[0], Now: s.now, Latency: 10 * time.Millisecond})
			s.flight = s.flight[1:]
		}
		i := s.policy.Pick(Request{Key: mix(uint64(key)), Random: s.random.Uint64(), Now: s.now})
		out[key] = s.backends[i].Name
		s.flight = append(s.flight, out[key])
	}
	return out
}
