package sieve

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// guard is how many bytes around a buffer must stay as they are.
const guard = 4096

// TestKernels runs the native kernels against the portable ones, and those
// against arithmetic, in buffers between guards.
func TestKernels(t *testing.T) {
	t.Run("rows", func(t *testing.T) { rapid.Check(t, rowsAgree) })
	t.Run("fill", func(t *testing.T) { rapid.Check(t, fillsAgree) })
	t.Run("big", func(t *testing.T) { rapid.Check(t, bigsAgree) })
	t.Run("meet", meets)
}

func rowsAgree(t *rapid.T) {
	c := rapid.IntRange(0, 7).Draw(t, "class")
	q := rapid.Uint32Range(5, 400).Draw(t, "q")
	p := int(q)*Turn + int(Wheel[c])
	end := rapid.IntRange(1, 30_000).Draw(t, "end")
	start := rapid.IntRange(0, 40_000).Draw(t, "start")
	less := rapid.IntRange(0, min(start, end)).Draw(t, "less")
	size := end + p
	want := bytes.Repeat([]byte{0xff}, guard+size+guard)
	next := start
	for ; next < end; next += p {
		for _, m := range Wheel {
			product := p * int(m)
			want[guard+next+product/Turn] &^= 1 << classOf[product%Turn]
		}
	}
	for name, k := range map[string]*kernel{"portable": portable(), "native": native()} {
		got := bytes.Repeat([]byte{0xff}, guard+size+guard)
		rows := []row{{start: uint32(start), q: q}, {start: uint32(start), q: q}}
		k.rows[c](first(got[guard:]), uintptr(end), uintptr(less), rows)
		if !bytes.Equal(got, want) {
			t.Fatalf("%s: class %d, p %d, start %d, end %d: other bits", name, c, p, start, end)
		}
		if rows[0] != rows[1] || int(rows[0].start) != next-less || rows[0].q != q {
			t.Fatalf("%s: %v, want a start of %d", name, rows, next-less)
		}
	}
}

func fillsAgree(t *rapid.T) {
	var f filler
	f.patterns = makePatterns()
	base := rapid.Uint64Range(lastPatterned, math.MaxUint64/Turn-4*block).Draw(t, "base")
	src := [block]byte(rapid.SliceOfN(rapid.Byte(), block, block).Draw(t, "src"))
	for name, k := range map[string]*kernel{"portable": portable(), "native": native()} {
		f.seek(base)
		var before, got, after [block]byte
		f.fill(k, &before, &src)
		f.fill(k, &got, &src)
		f.fill(k, &after, &src)
		at := rapid.IntRange(0, block-1).Draw(t, "byte")
		for i, b := range [][block]byte{before, got, after} {
			for bit, w := range Wheel {
				n := (base+uint64(i*block+at))*Turn + uint64(w)
				left := src[at]>>bit&1 != 0
				for _, primes := range groups {
					for _, p := range primes {
						left = left && (p == 0 || n%uint64(p) != 0)
					}
				}
				if left != (b[at]>>bit&1 != 0) {
					t.Fatalf("%s: block %d, byte %d: %d is left: %v", name, i, at, n, !left)
				}
			}
		}
	}
}

// bigsAgree lets big primes go over several segments and compares every byte
// and what became of every prime.
func bigsAgree(t *rapid.T) {
	const size, segments = 4096, 5
	type prime struct{ p, at uint64 }
	primes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) prime {
		p := rapid.Uint64Range(400, 1<<27).Draw(t, "q")*Turn + uint64(rapid.SampledFrom(Wheel[:]).Draw(t, "w"))
		return prime{p, rapid.Uint64Max(size*segments).Draw(t, "at")}
	}), 1, 20).Draw(t, "primes")
	copies := rapid.IntRange(1, 200).Draw(t, "copies")
	var results [2][]byte
	for i, k := range []*kernel{portable(), native()} {
		a := &arena{}
		a.reset()
		b := &big{arena: a, steps: makeSteps()}
		b.prepare(size, segments)
		for range copies {
			for _, p := range primes {
				list := min(p.at/size, segments)
				if b.lists[list]&blockMask == 0 {
					b.makeRoom(int(list))
				}
				state := bigMembers * uint64(classOf[p.p%Turn])
				a.words[b.lists[list]] = p.at%size | state<<offsetBits | p.p/Turn<<qShift
				b.lists[list]++
			}
		}
		for range segments {
			buf := bytes.Repeat([]byte{0xff}, guard+size+guard)
			b.cross(k, buf[guard:guard+size])
			results[i] = append(results[i], buf...)
		}
		if slices.ContainsFunc(results[i][:guard], func(b byte) bool { return b != 0xff }) {
			t.Fatalf("kernel %d wrote before the segment", i)
		}
	}
	if !bytes.Equal(results[0], results[1]) {
		t.Fatalf("the native kernel finds other multiples")
	}
}

// meets checks the native filter prime by prime with whole numbers.
func meets(t *testing.T) {
	k := native()
	if k.meet == nil {
		t.Skip("no native filter on this machine")
	}
	w := newMeeting()
	rapid.Check(t, func(t *rapid.T) {
		primes := rapid.SliceOfN(rapid.Uint32Range(tableEnd, math.MaxUint32), 4, 64).Draw(t, "primes")
		primes = primes[:len(primes)&^3]
		from := rapid.Uint64Range(1<<62, math.MaxUint64-1<<32).Draw(t, "from")
		span := rapid.Uint64Max(1<<34).Draw(t, "span")
		w.aim(from, span)
		var want []uint32
		for _, p := range primes {
			m := from/uint64(p) + 1
			distance := uint64(p) - from%uint64(p) + uint64(p)*uint64(gaps210[m%bigTurn].ahead)
			if distance <= span {
				want = append(want, p)
			}
		}
		out := new([batchSize]uint32)
		if got := out[:k.meet(out, primes, w)]; !slices.Equal(got, want) {
			t.Fatalf("from %d, span %d: of %v it keeps %v, want %v", from, span, primes, got, want)
		}
	})
}

func TestArena(t *testing.T) {
	var a arena
	a.reset()
	keepsLists(t, &a)
}

// An arena so long that its memory is mapped grows, too, and entries that were
// popped before can be read until it is dropped.
func TestLongArena(t *testing.T) {
	var a arena
	a.reserve(keptWords)
	defer a.drop()
	const entry = 12345
	var list uint64
	a.push(&list, entry)
	_, popped := a.pop(&list)
	size := len(a.words)
	a.free = a.free[:0]
	var other uint64
	a.push(&other, entry)
	if len(a.words) <= size || popped[0] != entry {
		t.Fatalf("of %d words it grew to %d, and the entry is %d", size, len(a.words), popped[0])
	}
	a.reset()
	keepsLists(t, &a)
	a.shrink()
	if a.words != nil || a.mapped != nil {
		t.Errorf("%d words are left", len(a.words))
	}
}

// keepsLists lets lists of an empty arena grow in turn and reads them back.
func keepsLists(t *testing.T, a *arena) {
	t.Helper()
	lists := make([]uint64, 3)
	var want [3][]uint64
	for i := range uint64(5 * grow * blockWords) {
		list := i * i % 7 % 3
		a.push(&lists[list], i)
		want[list] = append(want[list], i)
	}
	for l := range lists {
		var got []uint64
		for lists[l] != 0 {
			start, entries := a.pop(&lists[l])
			got = append(slices.Clone(entries), got...)
			a.release(start)
		}
		if !slices.Equal(got, want[l]) {
			t.Errorf("list %d has %d entries, want %d", l, len(got), len(want[l]))
		}
	}
	if blocks := len(a.words)/blockWords - 1; len(a.free) != blocks {
		t.Errorf("%d of %d blocks are free", len(a.free), blocks)
	}
}
