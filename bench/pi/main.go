// Command pi measures how fast primes are counted without finding them, side
// by side with primecount where it is installed (Debian: primecount-bin) or
// given as PRIMECOUNT=path. Both use as many threads as there are cores to use.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/polymath-run/polymath/internal/function/primecount"
)

// counts are what is measured: x and pi(x). They are constant.
var counts = [...]struct {
	name string
	x, n uint64
}{
	{"1e12", 1e12, 37607912018},
	{"1e13", 1e13, 346065536839},
	{"1e14", 1e14, 3204941750802},
	{"1e15", 1e15, 29844570422669},
}

// runs is how often each is measured, ours and theirs in turn; the middle one
// counts.
const runs = 5

func main() {
	if err := measure(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "pi:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context) error {
	peer := findPeer()
	threads := runtime.GOMAXPROCS(0)
	fmt.Printf("%d threads, %s, beside %s\n", threads, runtime.Version(), peer)
	for _, c := range counts {
		var ours, theirs []time.Duration
		for range runs {
			took, err := count(ctx, c.x, c.n, threads)
			if err != nil {
				return err
			}
			ours = append(ours, took)
			if peer == noPeer {
				continue
			}
			if took, err = peer.count(ctx, c.x, c.n, threads); err != nil {
				return err
			}
			theirs = append(theirs, took)
		}
		report(c.name, ours, theirs)
	}
	return nil
}

// report prints the bar in seconds, and as a quotient where there is a peer.
func report(name string, ours, theirs []time.Duration) {
	fmt.Printf("pi(%s): ours %v, theirs %v\n", name, ours, theirs)
	fmt.Printf("bar pi/%s-s %.3f\n", name, middle(ours).Seconds())
	if len(theirs) > 0 {
		fmt.Printf("bar pi/%s %.2f\n", name, middle(ours).Seconds()/middle(theirs).Seconds())
	}
}

func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// count measures our own.
func count(ctx context.Context, x, want uint64, threads int) (time.Duration, error) {
	start := time.Now()
	n, err := primecount.Count(ctx, x, threads, nil)
	if err != nil {
		return 0, err
	}
	if n != want {
		return 0, fmt.Errorf("pi(%d) = %d, want %d", x, n, want)
	}
	return time.Since(start), nil
}

// program is the path of primecount.
type program string

const noPeer program = ""

func (p program) String() string {
	if p == noPeer {
		return "nothing: primecount is not installed"
	}
	return string(p)
}

func findPeer() program {
	name := "primecount"
	if given := os.Getenv("PRIMECOUNT"); given != "" {
		name = given
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return noPeer
	}
	return program(path)
}

// answer is what primecount prints: the count, then the seconds it took.
var answer = regexp.MustCompile(`(?s)^\s*(\d+)\s+Seconds:\s*([0-9.]+)\s*$`)

// count measures the program by its own clock, without its start.
func (p program) count(ctx context.Context, x, want uint64, threads int) (time.Duration, error) {
	out, err := exec.CommandContext(ctx, string(p), strconv.FormatUint(x, 10), "--time", "--threads="+strconv.Itoa(threads)).Output()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", string(p), err)
	}
	found := answer.FindSubmatch(out)
	if len(found) == 0 || string(found[1]) != strconv.FormatUint(want, 10) {
		return 0, fmt.Errorf("%s: %q is not a count of %d and its time", string(p), out, want)
	}
	seconds, err := strconv.ParseFloat(string(found[2]), 64)
	if err != nil || seconds <= 0 {
		return 0, errors.Join(err, fmt.Errorf("%s: a time of %s s", string(p), found[2]))
	}
	return time.Duration(seconds * float64(time.Second)), nil
}
