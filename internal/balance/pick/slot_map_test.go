package pick

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func slotMap(t *testing.T, hash, probe string) *SlotMap {
	t.Helper()
	h, err := NamedSlotHash(hash)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NamedProbe(probe)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewSlotMap(h, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// slotShares sends the requests 100000 to 999999, the six-digit ids, and gives
// percents by server.
func slotShares(m *SlotMap, n int) []float64 {
	const from, to = 100_000, 1_000_000
	out := make([]float64, n)
	for i := uint64(from); i < to; i++ {
		out[m.Pick(Request{Key: i})] += 100. / (to - from)
	}
	return out
}

// TestClassicShares is the expected figure of L7: the given hash functions with
// servers 1 to 3 give 84.4, 4.7 and 10.9 %, however taken slots are probed.
func TestClassicShares(t *testing.T) {
	for _, probe := range []string{"linear", "quadratic"} {
		m := slotMap(t, "classic", probe)
		update(t, m, fleet(3))
		got := slotShares(m, 3)
		for i, want := range []float64{84.4, 4.7, 10.9} {
			if math.Abs(got[i]-want) > 0.05 {
				t.Errorf("%s: server %d has %.2f %%, want %.1f", probe, i+1, got[i], want)
			}
		}
	}
}

// TestClassicReach: only 87 of 512 slots are ever looked at (L7).
func TestClassicReach(t *testing.T) {
	h, err := NamedSlotHash("classic")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[uint64]bool)
	for i := range uint64(4 * Slots) {
		seen[h.Request(i)%Slots] = true
	}
	if len(seen) != 87 {
		t.Errorf("requests look at %d slots, want 87", len(seen))
	}
}

// TestSlotsAreAllSeated: every server has its nine slots, up to the most there
// are, whatever collides; and who leaves frees them.
func TestSlotsAreAllSeated(t *testing.T) {
	for _, hash := range []string{"classic", "mixed"} {
		for _, probe := range []string{"linear", "quadratic"} {
			m := slotMap(t, hash, probe)
			for _, n := range []int{1, maxSlotServers, 5, maxSlotServers, 0} {
				update(t, m, fleet(n))
				seats := make(map[uint64]int)
				for slot, used := range m.used {
					if used {
						seats[m.taken[slot]]++
					}
				}
				if len(seats) != n {
					t.Fatalf("%s, %s: %d servers have slots, want %d", hash, probe, len(seats), n)
				}
				for number, k := range seats {
					if k != VirtualServers {
						t.Errorf("%s, %s: server %d of %d has %d slots", hash, probe, number, n, k)
					}
				}
			}
		}
	}
}

// TestTableOfSlots prints shares for 2 to 6 servers (L7, A-2 and A-4).
func TestTableOfSlots(t *testing.T) {
	for _, hash := range []string{"classic", "mixed"} {
		for n := 2; n <= 6; n++ {
			m := slotMap(t, hash, "linear")
			update(t, m, fleet(n))
			shares, deviation := slotShares(m, n), 0.0
			for _, s := range shares {
				deviation += (s - 100/float64(n)) * (s - 100/float64(n)) / float64(n)
			}
			deviation = math.Sqrt(deviation)
			t.Logf("%-8s %d servers: mean %4.1f %%, deviation %4.1f, shares %s", hash, n, 100/float64(n), deviation, fmt.Sprintf("%.1f", shares))
			if hash == "mixed" && deviation > 100/float64(n)/2 {
				t.Errorf("mixed hashes deviate by %.1f points of a mean of %.1f", deviation, 100/float64(n))
			}
		}
	}
}

func TestSlotMapRefuses(t *testing.T) {
	m := slotMap(t, "mixed", "linear")
	twins := fleet(2)
	twins[1].Number = 1
	for want, backends := range map[string][]Backend{
		"has room for 56": fleet(maxSlotServers + 1),
		"have number 1":   twins,
	} {
		if err := m.Update(backends); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Update: %v, want %q in it", err, want)
		}
	}
	if _, err := NamedSlotHash("md5"); err == nil {
		t.Error("an unknown hash gave no error")
	}
	if _, err := NamedProbe("cubic"); err == nil {
		t.Error("an unknown probing gave no error")
	}
	if _, err := NewSlotMap(SlotHash{}, nil); err == nil {
		t.Error("a map without functions gave no error")
	}
}
