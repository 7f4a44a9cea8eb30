// Command core measures the whole way of a job in one process: 64 callers
// submit jobs that do nothing and wait for each to be durable, 8 slots of a
// real worker run them, and the journal lies on a real disk with every
// acknowledgement behind a sync.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/bench/device"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/worker"
)

const slots = 8 // of the worker

func main() {
	callers := flag.Int("callers", 64, "how many submit at a time, each one job after the other")
	length := flag.Duration("time", 10*time.Second, "how long they submit, in each run")
	runs := flag.Int("runs", 3, "how many runs; the middle one is the bar")
	flag.Parse()
	if err := measure(context.Background(), *callers, *length, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "core:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, callers int, length time.Duration, runs int) error {
	fmt.Printf("%d callers, %d worker slots, %d cores, %s, journal in %s\n",
		callers, slots, runtime.GOMAXPROCS(0), runtime.Version(), os.TempDir())
	rates := make([]float64, 0, runs)
	for range runs {
		rate, err := once(ctx, callers, length)
		if err != nil {
			return err
		}
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	fmt.Printf("bar core/jobs-s %.0f\n", rates[len(rates)/2])
	return nil
}

// core is a node on a directory, as internal/app makes it.
type core struct {
	path    string
	journal *local.Journal
	archive *archive.Archive
	node    *node.Node
}

func open(ctx context.Context) (c *core, err error) {
	c = &core{}
	if c.path, err = os.MkdirTemp("", "polymath-core-"); err != nil {
		return nil, err
	}
	if err := device.Check(c.path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.path))
	}
	log, err := disk.Dir(filepath.Join(c.path, "wal"))
	if err != nil {
		return nil, err
	}
	images, err := disk.Dir(filepath.Join(c.path, "checkpoint"))
	if err != nil {
		return nil, err
	}
	checkpoints, err := checkpoint.Open(images)
	if err != nil {
		return nil, err
	}
	if c.archive, err = archive.Open(filepath.Join(c.path, "archive.db"), archive.Options{}); err != nil {
		return nil, err
	}
	if c.journal, err = local.Open(local.Options{FS: log}); err != nil {
		return nil, err
	}
	c.node, err = node.Open(ctx, node.Options{
		Name: "core", Journal: c.journal, Checkpoints: checkpoints, Archive: c.archive, Log: slog.Default(),
	})
	return c, err
}

func (c *core) close() error {
	return errors.Join(c.node.Close(), c.journal.Close(), c.archive.Close(), os.RemoveAll(c.path))
}

// once is one run: from the first submission until the last job is finished.
func once(ctx context.Context, callers int, length time.Duration) (rate float64, err error) {
	c, err := open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()

	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	workers.Go(func() {
		o := worker.Options{Name: "core", Functions: function.NewSet(nothing{}), Parallel: slots}
		if err := worker.Run(working, c.node, o); err != nil {
			slog.Error("the worker ended", "error", err)
		}
	})

	before, begun := c.journal.Stats(), time.Now()
	waits, last, err := submit(ctx, c.node, callers, begun.Add(length))
	if err != nil {
		return 0, err
	}
	// Of jobs that are equal in all else, the last one submitted is the last
	// one leased: once it and those beside it are finished, all are.
	for _, id := range last {
		if _, err := c.node.Wait(ctx, id); err != nil {
			return 0, err
		}
	}
	took := time.Since(begun)
	if left := c.node.Stats().Jobs; left > 0 {
		return 0, fmt.Errorf("%d jobs are not finished", left)
	}
	after := c.journal.Stats()
	slices.Sort(waits)
	jobs := float64(len(waits))
	rate = jobs / took.Seconds()
	fmt.Printf("%.0f jobs/s, %.3f syncs a job, %.1f entries a sync, submit p50 %v p99 %v\n",
		rate, float64(after.Syncs-before.Syncs)/jobs, float64(after.Entries-before.Entries)/float64(after.Syncs-before.Syncs),
		waits[len(waits)/2].Round(time.Microsecond), waits[len(waits)*99/100].Round(time.Microsecond))
	return rate, nil
}

// submit has callers submit until a moment. It returns how long each wait for
// an acknowledgement took, and the last job of each caller.
func submit(ctx context.Context, n *node.Node, callers int, until time.Time) (waits []time.Duration, last []polymath.JobID, err error) {
	spec := polymath.Spec{Function: nothing{}.Describe().Name}
	if spec.Input, spec.Plan, err = (nothing{}).Plan(nil); err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex // guards the results
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			var own []time.Duration
			var id polymath.JobID
			var failure error
			for begun := time.Now(); begun.Before(until) && failure == nil; begun = time.Now() {
				id, _, failure = n.Submit(ctx, "default", spec)
				own = append(own, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			waits, last, err = append(waits, own...), append(last, id), errors.Join(err, failure)
		})
	}
	calling.Wait()
	return waits, last, err
}

// nothing is a function of one unit that does nothing, with an input of 100
// bytes and an output of 50.
type nothing struct{}

// Sizes of what a job carries, in bytes.
const (
	inputBytes  = 100
	outputBytes = 50
)

// Describe implements function.Function.
func (nothing) Describe() function.Description {
	return function.Description{Name: "nothing", Kind: function.Range}
}

// Plan implements function.Function.
func (nothing) Plan([]byte) ([]byte, polymath.Plan, error) {
	input := make([]byte, inputBytes)
	for i := range input {
		input[i] = ' '
	}
	copy(input, "{}")
	return input, polymath.Plan{Units: 1, Reducer: polymath.Collect}, nil
}

// Run implements function.Function.
func (nothing) Run(_ context.Context, task function.Task) ([]byte, error) {
	task.Progress(1)
	return make([]byte, outputBytes), nil
}

// Answer implements function.Function.
func (nothing) Answer(_, accumulator []byte) (json.RawMessage, error) {
	return json.Marshal(len(accumulator))
}
