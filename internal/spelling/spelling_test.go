package spelling

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"run", "run", 0}, {"rnu", "run", 1}, {"prims", "primes", 1},
		{"primse", "primes", 1}, {"add", "divide", 5}, {"kitten", "sitting", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestDistanceIsOne shows the laws that do not depend on the words: nothing
// lies between equal words, it does not matter which is first, and one slip of
// a finger is 1.
func TestDistanceIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[a-c]{1,8}`).Draw(t, "a")
		b := rapid.StringMatching(`[a-c]{0,8}`).Draw(t, "b")
		if d := distance(a, b); d != distance(b, a) || (d == 0) != (a == b) {
			t.Errorf("distance(%q, %q) = %d, the other way round %d", a, b, d, distance(b, a))
		}
		i := rapid.IntRange(0, len(a)-1).Draw(t, "i")
		if d := distance(a, a[:i]+a[i+1:]); d != 1 {
			t.Errorf("%q without its letter %d is at distance %d", a, i, d)
		}
		if i > 0 && a[i] != a[i-1] {
			if d := distance(a, a[:i-1]+a[i:i+1]+a[i-1:i]+a[i+1:]); d != 1 {
				t.Errorf("%q with letters %d and %d swapped is at distance %d", a, i-1, i, d)
			}
		}
	})
}

func TestNear(t *testing.T) {
	known := []string{"add", "primes", "prime-count", "divide"}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"a letter too few", "prims", []string{"primes"}},
		{"two swapped", "primse", []string{"primes"}},
		{"one in three changed", "dovode", []string{"divide"}},
		{"more than one in three", "dovoda", nil},
		{"a beginning", "prime", []string{"primes", "prime-count"}},
		{"a beginning of one letter", "d", nil},
		{"short", "ad", []string{"add"}},
		{"nothing like it", "zebra", nil},
		{"none", "", nil},
		{"too long", strings.Repeat("p", longest+1), nil},
	} {
		if got := Near(c.text, known); !slices.Equal(got, c.want) {
			t.Errorf("%s: like %.20q are %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

// The longest name that is compared is as long as its bound, and no longer.
func TestNearIsBounded(t *testing.T) {
	name := strings.Repeat("p", longest)
	if Near(name, []string{name}) == nil || Near(name+"p", []string{name}) != nil {
		t.Errorf("the bound is not %d bytes", longest)
	}
}

func TestHint(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"prime", "did you mean primes or prime-count?"},
		{"zebra", "there are primes, prime-count"},
	} {
		if got := Hint(c.name, []string{"primes", "prime-count"}); got != c.want {
			t.Errorf("of %s it says %q, want %q", c.name, got, c.want)
		}
	}
}
