package event

import (
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
)

func id(position uint64, n uint32) ID {
	return ID{Shard: 3, Index: polymath.Index{Epoch: 1, Position: position}, N: n}
}

func TestIDText(t *testing.T) {
	for _, want := range []ID{{}, id(42, 0), {255, polymath.Index{Epoch: 1<<32 - 1, Position: 1<<64 - 1}, 1<<32 - 1}} {
		got, err := ParseID(want.String())
		if err != nil || got != want {
			t.Errorf("%v: read back as %v, %v", want, got, err)
		}
	}
	if got := id(42, 5).String(); got != "3:1.42:5" {
		t.Errorf("printed %q", got)
	}
	for _, bad := range []string{
		"", "0", "0:1:2", "0:1.2", "0:1.2:3:4", "256:1.2:3", "0:4294967296.2:3", "0:1.2:4294967296", "-1:1.2:3", "0:1.2:3 ",
		"00:1.2:3", "0:1.02:3", "0.1.2.3", "0:1:2:3", "0::1.2:3", "+0:1.2:3", strings.Repeat("1", 100),
	} {
		_, err := ParseID(bad)
		if polymath.CodeOf(err) != polymath.InvalidArgument || len(err.Error()) > 200 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCompare(t *testing.T) {
	rising := []ID{{}, id(1, 0), id(1, 1), id(2, 0), {3, polymath.Index{Epoch: 2, Position: 1}, 0}}
	for i, a := range rising {
		for j, b := range rising {
			if got, want := a.Compare(b), min(max(i-j, -1), 1); got != want {
				t.Errorf("%v against %v is %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestTypes(t *testing.T) {
	seen := map[string]bool{}
	for i, k := range Kinds() {
		name := k.Type()
		if int(k) != i+1 || seen[name] || !strings.HasPrefix(name, "run.polymath.") || !strings.HasSuffix(name, ".v1") {
			t.Errorf("kind %d has type %q", k, name)
		}
		seen[name] = true
	}
	if Kind(0).Type() != "" || Kind(99).Type() != "" {
		t.Error("an unknown kind has a type")
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("3:1.42:5")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := ParseID(s); err == nil && got.String() != s {
			t.Errorf("%q was read as %v", s, got)
		}
	})
}
