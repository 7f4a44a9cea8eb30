package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath"
)

var update = flag.Bool("update", false, "write the golden files anew: only together with a new Version")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the format of %s changed: journals and checkpoints out there could not be read any more\n got %s\nwant %s", name, got, want)
	}
}

func ref(position uint64, ordinal uint32) polymath.Ref {
	return polymath.Ref{Index: polymath.Index{Epoch: 2, Position: position}, Ordinal: ordinal}
}

// samples are one command of each kind with no field zero.
func samples() []Command {
	token := polymath.Token{Shard: 3, Ref: ref(300, 1)}
	return []Command{
		&Open{Nonce: [16]byte{1, 2, 3}, Node: "node", Name: "worker", Local: true},
		&Close{Session: ref(5, 6), Lost: true},
		&Submit{Tenant: "tenant", Spec: polymath.Spec{
			Function: "primes", Input: []byte(`{"to":9}`),
			Plan: polymath.Plan{
				Units: 1 << 40, Reducer: polymath.Sum, LongestRun: 600,
				Costs: []polymath.CostPoint{{Unit: 7, Micros: 9}, {Unit: 1 << 40, Micros: 1 << 41}},
			},
			Options: polymath.Options{
				Queue: "queue", Priority: -100, Attempts: 3, SkipDead: true, NotBefore: 1e12, Deadline: 2e12,
				Key: [16]byte{4}, Body: [16]byte{5},
			},
		}},
		&Cancel{Job: polymath.JobID{Shard: 3, Ref: ref(9, 1)}},
		&Demand{Session: ref(5, 6), Functions: []string{"primes", "pi"}, Slots: 8, Micros: 1e6},
		&Complete{Token: token, Output: []byte("42"), Micros: 77},
		&Fail{Token: token, Error: "boom"},
		&Release{Token: token},
		&Assume{},
		&Expire{Term: ref(4, 0), Token: token, Started: true, Reason: "silent"},
		&Suspect{Term: ref(4, 0), Token: token},
		&Tick{Term: ref(4, 0), Now: 1e12},
		&Configure{Tenant: "tenant", Queue: "queue", MaxJobs: 1, MaxBytes: 2, Weight: 3, Concurrency: 4, Paused: true},
		&Activate{Version: 1},
		&Prune{Term: ref(4, 0), Before: 1e12},
		&Discard{Job: polymath.JobID{Shard: 3, Ref: ref(9, 1)}, Unit: 7, Tenant: "tenant", Queue: "queue"},
	}
}

func TestEntryFormat(t *testing.T) {
	var out strings.Builder
	for i, cmd := range samples() {
		if cmd.kind() != commandKind(i+1) {
			t.Errorf("%T has kind %d", cmd, cmd.kind())
		}
		e := Entry{Session: ref(1, 2), Number: 3, At: 1e12, Principal: []byte("p"), Signature: []byte("s"), Commands: []Command{cmd}}
		data := e.Encode(nil)
		fmt.Fprintf(&out, "%T %x\n", cmd, data)
		var back Entry
		if err := back.Decode(data); err != nil || !reflect.DeepEqual(e, back) {
			t.Errorf("%T reads back as %+v, %v", cmd, back, err)
		}
	}
	golden(t, "entry.txt", out.String())
}

// TestImageFormat builds a state in which everything an image can hold is
// there.
func TestImageFormat(t *testing.T) {
	r := newRig(t)
	r.apply(&Configure{MaxJobs: 100, MaxBytes: 10_000}, &Configure{Tenant: "t", Queue: "slow", Weight: 2, Concurrency: 9})
	r.worker(2)
	r.worker(2)
	collect := spec(1_000_000)
	collect.Plan.Reducer = polymath.Collect
	collect.Plan.Costs = []polymath.CostPoint{{Unit: 10, Micros: 9000}, {Unit: 1_000_000, Micros: 1_000_000}}
	collect.Options = polymath.Options{Key: [16]byte{1}, Body: [16]byte{2}, Deadline: 1e12, Queue: "slow", Attempts: 2}
	later := spec(5)
	later.Options = polymath.Options{NotBefore: 9e11, Priority: 7, Key: [16]byte{3}}
	gone := spec(0)
	gone.Options.Key = [16]byte{4}
	fx := r.apply(&Submit{Tenant: "t", Spec: collect}, &Submit{Tenant: "t", Spec: later}, &Submit{Tenant: "u", Spec: gone})
	tokens := grants(fx)
	r.apply(&Complete{Token: tokens[1], Output: []byte("out"), Micros: 500}, &Tick{Term: r.term, Now: 1e9})
	r.apply(&Fail{Token: tokens[0], Error: "boom"})
	r.apply(&Tick{Term: r.term, Now: 1e9 + 10})
	r.apply(&Demand{Session: r.workers[0], Functions: []string{"f", "g"}, Slots: 1}, &Release{Token: tokens[2]})
	r.apply(&Suspect{Term: r.term, Token: tokens[3]})
	r.l.queueNames[queueName{"t", "slow"}].letters = 7
	parts := takeAll(r.l)
	var out strings.Builder
	for n, p := range parts {
		if !bytes.Equal(p, []byte{0, 0}) { // no jobs, no keys
			fmt.Fprintf(&out, "%d %x\n", n, p)
		}
	}
	golden(t, "image.txt", out.String())
	l, err := restore(parts)
	if err != nil || l.Hash() != r.l.Hash() {
		t.Errorf("the image does not read back: %v", err)
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[byte]bool{0: false, Version: false, Version + 1: true, 255: true} {
		var newer *VersionError
		data := (&Entry{}).Encode(nil)
		data[0] = version
		err := new(Entry).Decode(data)
		if errors.As(err, &newer) != want || want && (newer.Got != version || newer.What != "entry") || version == 0 && err == nil {
			t.Errorf("entry of version %d: %v", version, err)
		}
		parts := takeAll(New(0))
		parts[0][0] = version
		_, err = restore(parts)
		if errors.As(err, &newer) != want || want && newer.What != "image" || version == 0 && err == nil {
			t.Errorf("image of version %d: %v", version, err)
		}
	}
}

// TestNewerEntryStops: the ledger must not step over what it cannot read.
func TestNewerEntryStops(t *testing.T) {
	r := newRig(t)
	before, index := r.l.Hash(), r.l.Index()
	var fx Effects
	err := r.l.Apply(polymath.Index{Epoch: 1, Position: r.at.Position + 1}, []byte{Version + 1, 0}, &fx)
	var newer *VersionError
	if !errors.As(err, &newer) || r.l.Hash() != before || r.l.Index() != index {
		t.Errorf("%v", err)
	}
}

// TestBeyondBounds: what is too large to be read is not written as something
// else that can be read.
func TestBeyondBounds(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for _, cmd := range []Command{
		&Open{Name: long}, &Close{}, &Fail{Error: long}, &Complete{Output: []byte(long)},
		&Submit{Spec: polymath.Spec{Function: long}}, &Submit{Spec: polymath.Spec{Input: []byte(long)}},
		&Submit{Spec: polymath.Spec{Plan: polymath.Plan{Costs: make([]polymath.CostPoint, 65)}}},
		&Demand{Functions: make([]string, maxFunctions+1)},
	} {
		e := Entry{Commands: []Command{&Assume{}, cmd, &Assume{}}}
		var back Entry
		if err := back.Decode(e.Encode(nil)); (err == nil) != (cmd.kind() == kindClose) {
			t.Errorf("%T: %v", cmd, err)
		}
	}
	var batch Commands
	if err := batch.Add(&Assume{}); err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(batch.Bytes())
	if err := batch.Add(&Fail{Error: long}); polymath.CodeOf(err) != polymath.InvalidArgument || !bytes.Equal(batch.Bytes(), before) {
		t.Errorf("a command beyond its bounds is written as %.40q, %v", batch.Bytes(), err)
	}
	for _, e := range []Entry{{Principal: []byte(long)}, {Signature: []byte(long)}, {Commands: make([]Command, 0)}} {
		var back Entry
		if err := back.Decode(e.Encode([]byte("before"))[6:]); (err == nil) != (e.Commands != nil) {
			t.Errorf("an entry of %d bytes: %v", len(e.Principal), err)
		}
	}
}

// TestEntriesReadBack: decode(encode(x)) is x, for whatever commands the
// world comes up with.
func TestEntriesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") }, NoFault)
		e := Entry{Session: genRef(t), Number: rapid.Uint64().Draw(t, "number"), At: rapid.Int64().Draw(t, "at"), Commands: []Command{}}
		for range rapid.IntRange(0, 5).Draw(t, "commands") {
			e.Commands = append(e.Commands, w.command())
		}
		var back Entry
		data := e.Encode(nil)
		if err := back.Decode(data); err != nil {
			t.Fatal(err)
		}
		if again := back.Encode(nil); !bytes.Equal(again, data) {
			t.Errorf("%x is written again as %x", data, again)
		}
		if fmt.Sprintf("%+v", e) != fmt.Sprintf("%+v", back) && len(e.Commands) == 0 {
			t.Errorf("%+v reads back as %+v", e, back)
		}
		cut := data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")]
		if back.Decode(cut) == nil {
			t.Errorf("%d of %d bytes are an entry", len(cut), len(data))
		}
		if back.Decode(append(data, 0)) == nil {
			t.Error("a byte too many was not seen")
		}
	})
}

func genRef(t *rapid.T) polymath.Ref {
	return polymath.Ref{
		Index:   polymath.Index{Epoch: rapid.Uint32().Draw(t, "epoch"), Position: rapid.Uint64().Draw(t, "position")},
		Ordinal: rapid.Uint32().Draw(t, "ordinal"),
	}
}

// FuzzDecode: whatever is read is written again as the same bytes; a ledger
// that gets the bytes keeps its laws.
func FuzzDecode(f *testing.F) {
	for _, cmd := range samples() {
		f.Add((&Entry{Session: ref(1, 2), Number: 1, Commands: []Command{cmd}}).Encode(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Entry
		if err := e.Decode(data); err != nil {
			return
		}
		if again := e.Encode(nil); !bytes.Equal(again, data) {
			t.Errorf("%x is written again as %x", data, again)
		}
		r := newRig(t)
		r.worker(2)
		r.number++
		e.Session, e.Number = r.lane, r.number
		var fx Effects
		r.at.Position++
		if err := r.l.Apply(r.at, e.Encode(nil), &fx); err != nil {
			t.Fatal(err)
		}
		if err := r.l.Check(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzRestore feeds a head and one part. What is restored obeys the laws
// (Restore checks them) and makes the same image again.
func FuzzRestore(f *testing.F) {
	text, err := os.ReadFile("testdata/image.txt")
	if err != nil {
		f.Fatal(err)
	}
	var head []byte
	for line := range strings.Lines(string(text)) {
		number, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		part, err := hex.DecodeString(digits)
		if err != nil {
			f.Fatal(err)
		}
		if n, _ := strconv.Atoi(number); n == 0 {
			head = part
		} else {
			f.Add(head, part, uint16(n))
		}
	}
	f.Fuzz(func(t *testing.T, head, part []byte, n uint16) {
		parts := slices.Repeat([][]byte{{0, 0}}, ImageParts)
		parts[0], parts[1+n%bucketCount] = head, part
		l, err := restore(parts)
		if err != nil {
			return
		}
		if again, err := restore(takeAll(l)); err != nil || again.Hash() != l.Hash() {
			t.Errorf("an image of what was restored differs: %v", err)
		}
		var fx Effects
		open := (&Entry{Commands: []Command{&Open{}}}).Encode(nil)
		if err := l.Apply(polymath.Index{Epoch: ^uint32(0), Position: ^uint64(0)}, open, &fx); err != nil {
			t.Error(err)
		}
	})
}
