package api_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/polymath-run/polymath/api"
)

func TestCount(t *testing.T) {
	for _, c := range []struct {
		value api.Count
		want  string
	}{
		{0, "0"},
		{1 << 53, "9007199254740992"},
		{1<<53 + 1, `"9007199254740993"`},
		{math.MaxUint64, `"18446744073709551615"`},
	} {
		got, err := json.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%d is written %s (%v), want %s", uint64(c.value), got, err, c.want)
		}
		for _, form := range []string{"%d", `"%d"`} {
			var back api.Count
			if err := json.Unmarshal(fmt.Appendf(nil, form, uint64(c.value)), &back); err != nil || back != c.value {
				t.Errorf("%s of %d is read as %d (%v)", form, uint64(c.value), uint64(back), err)
			}
		}
	}
}

func TestCountRefuses(t *testing.T) {
	for _, text := range []string{"-1", "1.5", "1e3", `""`, `"x"`, "18446744073709551616", "true", "[1]", "{}"} {
		var c api.Count
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s is read as %d", text, uint64(c))
		}
	}
}

func FuzzCount(f *testing.F) {
	f.Add([]byte(`"9007199254740993"`))
	f.Add([]byte("7"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c, again api.Count
		if json.Unmarshal(data, &c) != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &again); err != nil || again != c {
			t.Errorf("%s became %d, then %d (%v)", data, uint64(c), uint64(again), err)
		}
	})
}
