package lines

import (
	"errors"
	"slices"
	"strings"
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

func TestCheck(t *testing.T) {
	units := polymath.Interval{From: 9, To: 11}
	valid := func(value []byte) error {
		if string(value) == "no" {
			return errors.New("no value")
		}
		return nil
	}
	for data, want := range map[string]string{
		"9 a\n10 two words\n": "",
		"":                    "element 9",
		"9 a\n":               "element 10",
		"10 a\n9 a\n":         "element 9",
		"9 a\n10 no\n":        "no value",
		"9 a\n10 a":           "element 10",
		"9 a\n10 a\n11 a\n":   "more than",
		"9\n10 a\n":           "element 9",
		"09 a\n10 a\n":        "element 9",
	} {
		err := Check([]byte(data), units, valid)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}
