package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/journaltest"
)

// The environment of the kill test. A process that finds victimDir set is the
// victim: it appends until it is killed.
const (
	victimDir   = "POLYMATH_TEST_VICTIM_DIR"
	victimRound = "POLYMATH_TEST_VICTIM_ROUND"
	killsWanted = "POLYMATH_TEST_KILLS" // how many times to kill
)

const (
	killsByDefault = 30
	victimWriters  = 16
	victimSegment  = 256 << 10 // bytes: several segments a round
	trimEvery      = 4         // rounds
	maxAcks        = 3000      // that a victim gets out before it is killed
)

// victim appends from many goroutines and writes the name of each entry to
// standard output before it appends it and when it is acknowledged. What stands
// in a pipe survives the writer.
func victim() error {
	go func() { // do not outlive the parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fs, err := disk.Dir(os.Getenv(victimDir))
	if err != nil {
		return err
	}
	j, err := Open(Options{FS: fs, SegmentBytes: victimSegment})
	if err != nil {
		return err
	}
	round, err := strconv.Atoi(os.Getenv(victimRound))
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range victimWriters {
		go func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%d/%d/%d", round, w, n)
				fmt.Println("try " + name)
				if err := j.Append(context.Background(), named(name)); err != nil {
					failed <- err
				}
				fmt.Println("ack " + name)
			}
		}()
	}
	if round%trimEvery == 0 {
		if tail := j.base.index; !tail.IsZero() { // all that former rounds have left
			if err := j.Trim(context.Background(), tail); err != nil {
				return err
			}
		}
	}
	return <-failed
}

// named is the entry of a name: up to 400 bytes, now and then some thousand.
func named(name string) []byte {
	size := len(name) * len(name) * int(name[len(name)-1]-'0') / 2
	if strings.HasSuffix(name, "99") {
		size = 20_000
	}
	return append([]byte(name+" "), bytes.Repeat([]byte{name[0]}, size)...)
}

// TestKill kills a process in the middle of concurrent appends, again and again
// on one directory. (L7: no acknowledged work is lost, none counts twice.)
func TestKill(t *testing.T) {
	kills := killsByDefault
	if text := os.Getenv(killsWanted); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killsWanted, err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	k := killing{dir: t.TempDir()}
	acks := 0
	for k.round = range kills {
		told := k.kill(t, rng.IntN(maxAcks))
		k.check(t, told)
		acks += len(told.acked)
	}
	t.Logf("%d kills, %d acknowledged entries, tail %v", kills, acks, k.last().Index)
}

// killing is what is known of the directory between two kills.
type killing struct {
	dir   string
	round int
	base  journal.Record   // everything up to here may have been trimmed
	known []journal.Record // what was after it when the journal was last open
}

// told is what a victim said.
type told struct {
	tried, acked map[string]bool
}

// kill runs a victim and kills it when it has said so many acknowledgements; 0
// kills it while it still opens the journal.
func (k *killing) kill(t *testing.T, acks int) told {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+k.dir, victimRound+"="+strconv.Itoa(k.round))
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := told{map[string]bool{}, map[string]bool{}}
	for lines := bufio.NewScanner(out); ; {
		if len(heard.acked) >= acks {
			_ = cmd.Process.Kill() // more than once: it may still talk
		}
		if !lines.Scan() {
			break
		}
		what, name, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "try":
			heard.tried[name] = true
		case "ack":
			heard.acked[name] = true
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("round %d: the victim ended by itself: %v: %s", k.round, err, complaint.String())
	}
	return heard
}

// check opens the journal and compares it with what is known and what was told.
func (k *killing) check(t *testing.T, heard told) {
	t.Helper()
	fs, err := disk.Dir(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := Open(Options{FS: fs, SegmentBytes: victimSegment})
	if err != nil {
		t.Fatalf("round %d: %v", k.round, err)
	}
	defer mustClose(t, j)
	if k.round%trimEvery == 0 { // the victim has trimmed what was known
		k.base, k.known = k.last(), nil
	}
	records := journaltest.Read(t, j, k.base)
	if len(records) < len(k.known) || !slices.EqualFunc(k.known, records[:len(k.known)], same) {
		t.Fatalf("round %d: entries of former rounds have changed", k.round)
	}
	times := map[string]int{}
	next := make([]int, victimWriters)
	for _, r := range records[len(k.known):] {
		name, _, _ := strings.Cut(string(r.Entry), " ")
		if !bytes.Equal(r.Entry, named(name)) || !heard.tried[name] {
			t.Fatalf("round %d: the entry at %v is %.40q, which nobody appended", k.round, r.Index, r.Entry)
		}
		var round, w, n int
		if _, err := fmt.Sscanf(name, "%d/%d/%d", &round, &w, &n); err != nil || n != next[w] {
			t.Fatalf("round %d: %s at %v, want number %d of this writer: %v", k.round, name, r.Index, next[w], err)
		}
		next[w]++
		times[name]++
	}
	for name := range heard.tried {
		if n := times[name]; n > 1 || heard.acked[name] && n == 0 {
			t.Errorf("round %d: %s is there %d times, acknowledged: %t", k.round, name, n, heard.acked[name])
		}
	}
	k.known = records
}

// last is the newest entry known.
func (k *killing) last() journal.Record {
	if n := len(k.known); n > 0 {
		return k.known[n-1]
	}
	return k.base
}

func same(a, b journal.Record) bool {
	return a.Index == b.Index && a.Sum == b.Sum && bytes.Equal(a.Entry, b.Entry)
}
