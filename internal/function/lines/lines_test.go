package lines

import (
	"slices"
	"testing"

	"github.com/polymath-run/polymath"
)

func TestRoundTrip(t *testing.T) {
	var data []byte
	size := 0
	for _, unit := range []uint64{0, 1, 11} {
		value := []string{"0", "-1/3", "two words"}[unit%3]
		data = Append(data, unit, value)
		size += Size(unit, len(value))
	}
	if len(data) != size {
		t.Errorf("%d bytes, Size said %d", len(data), size)
	}
	got, err := Read(data, 12)
	want := []string{"0", "-1/3", "", "", "", "", "", "", "", "", "", "two words"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, data := range []string{"0 1", "01\n", "x 1\n", "-1 1\n", "2 1\n", "\n", "99999999999999999999 1\n"} {
		if got, err := Read([]byte(data), 2); polymath.CodeOf(err) != polymath.Internal {
			t.Errorf("%q was read as %q, %v", data, got, err)
		}
	}
}
