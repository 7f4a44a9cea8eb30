package all

import (
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
)

func TestSet(t *testing.T) {
	built := []string{"add", "divide", "factor", "isprime", "multiply", "nextprime", "nthprime", "pi", "power", "prevprime", "primecount", "primes", "subtract"}
	if got := Set(false).Names(); !slices.Equal(got, built) {
		t.Errorf("built in: %v", got)
	}
	dev := Set(true)
	if got, want := dev.Names(), len(built)+2; len(got) != want {
		t.Errorf("in development: %v", got)
	}
	for _, name := range dev.Names() {
		f, err := dev.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		d := f.Describe()
		if d.Dev == slices.Contains(built, name) || len(name) > polymath.MaxNameBytes {
			t.Errorf("%s: dev %v", name, d.Dev)
		}
	}
}
