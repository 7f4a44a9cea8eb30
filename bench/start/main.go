// Command start measures how long somebody waits who has nothing but Go and a
// checkout: from the first `go run` with empty caches to the answer, downloads
// and compilation included; how long the calculation itself takes then; and how
// long a server takes until it is ready, with nothing and with a million jobs.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/polymath-run/polymath/bench/checkout"
	"github.com/polymath-run/polymath/bench/process"
)

// What is run, and what it must print.
const (
	argument = "1e9"
	answer   = "50847534\n"
)

const warmRuns = 5 // the middle one is the bar

func main() {
	process.Main("start", measure)
}

func measure(ctx context.Context, place string) error {
	m := measurement{place}
	cold, err := m.cold(ctx)
	if err != nil {
		return fmt.Errorf("from empty caches: %w", err)
	}
	warm, err := m.warm(ctx)
	if err != nil {
		return fmt.Errorf("with a program that is built: %w", err)
	}
	empty, full, err := m.startServers(ctx)
	if err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	fmt.Printf("%d cores, %s; from empty caches %.1f s; built, %d runs: %v\n",
		runtime.NumCPU(), runtime.Version(), cold.Seconds(), warmRuns, warm)
	fmt.Printf("bar start/cold-s %.1f\nbar run/primes-1e9-s %.3f\n", cold.Seconds(), warm[warmRuns/2].Seconds())
	fmt.Printf("bar start/empty-ms %.1f\nbar start/million-s %.2f\n", empty.Seconds()*1e3, full.Seconds())
	return nil
}

type measurement struct{ place string }

// cold is the first command of all. The module cache is made writable so that
// it can be removed again.
func (m *measurement) cold(ctx context.Context) (time.Duration, error) {
	cmd, err := checkout.Go(ctx, "run", "./cmd/polymath", "run", "primes", "--to", argument,
		"--data", filepath.Join(m.place, "cold"))
	if err != nil {
		return 0, err
	}
	cmd.Env = append(os.Environ(), "GOFLAGS=-modcacherw",
		"GOMODCACHE="+filepath.Join(m.place, "modules"), "GOCACHE="+filepath.Join(m.place, "build"))
	return timed(cmd)
}

// warm runs the program as built, each time on a new data directory, sorted.
func (m *measurement) warm(ctx context.Context) ([]time.Duration, error) {
	binary := filepath.Join(m.place, "polymath")
	if err := checkout.Build(ctx, binary); err != nil {
		return nil, err
	}
	var took []time.Duration
	for i := range warmRuns {
		data := filepath.Join(m.place, fmt.Sprint("warm", i))
		d, err := timed(exec.CommandContext(ctx, binary, "run", "primes", "--to", argument, "--data", data))
		if err != nil {
			return nil, err
		}
		took = append(took, d.Round(time.Millisecond))
	}
	slices.Sort(took)
	return took, nil
}

// timed runs a command that must print the answer.
func timed(cmd *exec.Cmd) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, &stderr)
	}
	if stdout.String() != answer {
		return 0, fmt.Errorf("it printed %q, not %q", &stdout, answer)
	}
	return took, nil
}
