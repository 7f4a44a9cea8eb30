package polymath_test

import (
	"cmp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

func genRef(t *rapid.T) polymath.Ref {
	return polymath.Ref{
		Index:   polymath.Index{Epoch: rapid.Uint32().Draw(t, "epoch"), Position: rapid.Uint64().Draw(t, "position")},
		Ordinal: rapid.Uint32().Draw(t, "ordinal"),
	}
}

func TestNamesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shard, ref := rapid.Uint8().Draw(t, "shard"), genRef(t)
		id, token := polymath.JobID{Shard: shard, Ref: ref}, polymath.Token{Shard: shard, Ref: ref}
		if got, err := polymath.ParseJobID(id.String()); id.IsZero() != (err != nil) || err == nil && got != id {
			t.Errorf("id %v reads back as %v, %v", id, got, err)
		}
		if got, err := polymath.ParseToken(token.String()); err != nil || got != token {
			t.Errorf("token %v reads back as %v, %v", token, got, err)
		}
		if id.IsZero() != (ref == polymath.Ref{}) || token.IsZero() != id.IsZero() {
			t.Errorf("%v is zero: %v", id, id.IsZero())
		}
	})
}

// TestRefsAreOrdered: a strict total order, by epoch, position, ordinal.
func TestRefsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genRef(t), genRef(t), genRef(t)
		want := cmp.Or(cmp.Compare(a.Index.Epoch, b.Index.Epoch), cmp.Compare(a.Index.Position, b.Index.Position), cmp.Compare(a.Ordinal, b.Ordinal))
		if a.Compare(b) != want || b.Compare(a) != -want || (want == 0) != (a == b) {
			t.Errorf("%v against %v: %d", a, b, a.Compare(b))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%v, %v, %v go in a circle", a, b, c)
		}
	})
}

func TestBadNames(t *testing.T) {
	good := polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 42}}}.String()
	for _, s := range []string{
		"", "j", "j00", "x" + good[1:], strings.ToUpper(good), good + "0", good[:len(good)-1], " " + good,
		"jzz" + good[3:], "j00" + strings.Repeat("z", 61), "j00" + strings.Repeat("z", 100), "j00il", "j+0" + good[3:],
		"j0000000", polymath.JobID{Shard: 255}.String(), // no job's
	} {
		if id, err := polymath.ParseJobID(s); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("id %q: %v, %v", s, id, err)
		}
	}
	for _, s := range []string{
		"", "0-1-42", "0-1-42-0-0", "256-1-42-0", "0-4294967296-42-0", "0-1-18446744073709551616-0", "0-1-42-4294967296",
		"00-1-42-0", "+0-1-42-0", "0--1-42-0", "0-1-42-", " 0-1-42-0", "0-1-4_2-0", strings.Repeat("1", 1000),
	} {
		if token, err := polymath.ParseToken(s); polymath.CodeOf(err) != polymath.InvalidArgument || len(err.Error()) > 200 {
			t.Errorf("token %.80q: %v, %v", s, token, err)
		}
	}
}

func FuzzParseJobID(f *testing.F) {
	f.Add("j0004600")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := polymath.ParseJobID(s); err == nil && id.String() != s {
			t.Errorf("%q and %q are one id", s, id)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add("0-1-42-0")
	f.Fuzz(func(t *testing.T, s string) {
		if token, err := polymath.ParseToken(s); err == nil && token.String() != s {
			t.Errorf("%q and %q are one token", s, token)
		}
	})
}
