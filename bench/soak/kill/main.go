// Command kill kills a calculation with SIGKILL hundreds of times at random
// moments, always on one data directory, and then looks whether anything of it
// was lost or counted twice.
//
// Every run is the real program with the same command. One that comes to its
// end before its kill must have printed the right answer, and the next run
// begins the calculation anew. The last one is left alone. Then the journal and
// the archive are read; see audit.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/bench/checkout"
	"github.com/polymath-run/polymath/bench/process"
)

// What is calculated: the primes up to 10^11, counted. A minute or two on two
// cores.
const (
	argument = "1e11"
	answer   = "4118054813"
)

// settings of a soak.
type settings struct {
	kills    int
	seed     uint64
	argument string
	answer   string
	longest  time.Duration // that a run lives before its kill
}

func main() {
	s := settings{argument: argument, answer: answer}
	flag.IntVar(&s.kills, "kills", 500, "how many runs are killed")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of the moments of the kills")
	flag.DurationVar(&s.longest, "longest", 1200*time.Millisecond, "how long a run lives at most before its kill")
	flag.Parse()
	process.Run("kill", func(ctx context.Context) error { return soak(ctx, s, os.Stdout) })
}

// soak kills, finishes and audits.
func soak(ctx context.Context, s settings, out io.Writer) (err error) {
	place, err := os.MkdirTemp("", "polymath-kill-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	k := killer{
		settings: s, out: out, random: rand.New(rand.NewPCG(s.seed, 0)),
		binary: filepath.Join(place, "polymath"), data: filepath.Join(place, "data"),
	}
	if err := checkout.Build(ctx, k.binary); err != nil {
		return err
	}
	k.printf("%d kills, seed %d, primes up to %s\n", s.kills, s.seed, s.argument)
	begun := time.Now()
	for k.killed < s.kills {
		if err := k.once(ctx, k.moment()); err != nil {
			return fmt.Errorf("after %d kills, seed %d: %w", k.killed, s.seed, err)
		}
	}
	if err := k.once(ctx, 0); err != nil {
		return fmt.Errorf("the last run, seed %d: %w", s.seed, err)
	}
	found, err := readAudit(ctx, k.data)
	if err != nil {
		return fmt.Errorf("audit, seed %d: %w", s.seed, err)
	}
	found.expect(k.finished, s.answer)
	k.printf("%d runs were killed and %d came to their end, in %v\n", k.killed, len(k.finished), time.Since(begun).Round(time.Second))
	k.printf("journal: %d entries, %d jobs, %d units counted in %d intervals, %d leases that came to nothing\n",
		found.entries, len(found.jobs), found.units, found.intervals, found.vain)
	for _, text := range found.complaints {
		k.printf("%s\n", text)
	}
	k.printf("bar kill/lost %d\nbar kill/twice %d\n", found.lost, found.twice)
	if len(found.complaints) > 0 {
		return fmt.Errorf("%d findings, seed %d", len(found.complaints), s.seed)
	}
	return nil
}

// killer runs the program again and again.
type killer struct {
	settings
	out          io.Writer
	random       *rand.Rand
	binary, data string
	killed       int
	finished     []finishedRun
}

// finishedRun is what a run that came to its end printed.
type finishedRun struct {
	Job    string `json:"job"`
	State  string `json:"state"`
	Result any    `json:"result"`
}

// moment is how long the next run lives: half of them die while they start or
// have just begun, where the most can go wrong.
func (k *killer) moment() time.Duration {
	most := k.longest
	if k.random.IntN(2) == 0 {
		most = k.longest / 4
	}
	return time.Duration(k.random.Int64N(int64(most))) + 1
}

// once runs the program, and kills it after a while if after is not 0.
func (k *killer) once(ctx context.Context, after time.Duration) error {
	cmd := exec.CommandContext(ctx, k.binary, "run", "primes", k.argument, "--output", "json", "--data", k.data)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
		defer timer.Stop()
	}
	err := cmd.Wait()
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && after > 0 && state.Signaled() && state.Signal() == syscall.SIGKILL {
		k.killed++
		if k.killed%50 == 0 {
			k.printf("%d killed\n", k.killed)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, &stderr)
	}
	var run finishedRun
	if err := json.Unmarshal(stdout.Bytes(), &run); err != nil {
		return fmt.Errorf("the program printed %q: %w", &stdout, err)
	}
	k.finished = append(k.finished, run)
	return nil
}

func (k *killer) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(k.out, format, args...) // nobody is left to tell
}
