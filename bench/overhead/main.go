// Command overhead measures what it costs to have a calculation done as a job:
// to have it cut in 1,000 intervals, leased, run in a worker's process,
// journaled, merged and answered, above the bare function that runs over the
// same intervals in one process.
//
//	job:     this process ── server ── worker     all their processor time
//	kernel:  one process, no network, no disk      its processor time
//
// What cutting costs the function itself, which begins every interval anew, is
// in both, and is printed apart.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// grantedMetric counts the leases.
const grantedMetric = "polymath_leases_granted_total"

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "-child-") {
		process.End("overhead", child(os.Args[1:]))
		return
	}
	pairs := flag.Int("pairs", 5, "how many pairs of job and kernel; the middle one is the bar")
	flag.Parse()
	process.Main("overhead", func(ctx context.Context, place string) error { return measure(ctx, place, *pairs, os.Stdout) })
}

func measure(ctx context.Context, place string, pairs int, out io.Writer) error {
	program, err := server.Build(ctx, place)
	if err != nil {
		return err
	}
	var overheads, cuts []float64
	for n := range pairs {
		p, err := runPair(ctx, program, filepath.Join(place, fmt.Sprint("data", n)))
		if err != nil {
			return err
		}
		overheads = append(overheads, percentAbove(p.job.total(), p.kernel))
		cuts = append(cuts, percentAbove(p.kernel, p.whole))
		_, _ = fmt.Fprintf(out, "job %v (server %v, worker %v, client %v, %.0f leases), kernel %v, uncut %v: %.2f %%, cutting alone %.2f %%\n",
			p.job.total(), p.job.server, p.job.worker, p.job.client, p.job.leases, p.kernel, p.whole, overheads[n], cuts[n])
	}
	_, _ = fmt.Fprintf(out, "%d intervals of %v; cutting alone costs %.2f %%\nbar overhead/primes %.2f\n",
		intervals, argument, median(cuts), median(overheads))
	return nil
}

// turns is how often job and kernel take turns in a pair: a core is not always
// as fast, and what is measured close together was measured on the same one.
const turns = 7

// pair is what a job took and what the kernel took, on the mean of their turns.
type pair struct {
	job           cost
	kernel, whole time.Duration
}

// runPair lets job and kernel take turns, with a kernel on either side.
func runPair(ctx context.Context, program server.Program, data string) (p pair, err error) {
	for turn := range turns + 1 {
		used, err := runKernel(ctx, intervals)
		if err != nil {
			return p, fmt.Errorf("kernel: %w", err)
		}
		p.kernel += used / (turns + 1)
		if turn == turns {
			break
		}
		job, err := runJob(ctx, program, fmt.Sprint(data, "-", turn))
		if err != nil {
			return p, fmt.Errorf("job: %w", err)
		}
		p.job.add(job)
	}
	p.whole, err = runKernel(ctx, 1)
	return p, err
}

// cost is the processor time of a job, by process.
type cost struct {
	server, worker, client time.Duration
	leases                 float64 // of the intervals, with those taken twice near the end
}

func (c cost) total() time.Duration { return c.server + c.worker + c.client }

// add adds one of the turns to their mean.
func (c *cost) add(turn cost) {
	c.server += turn.server / turns
	c.worker += turn.worker / turns
	c.client += turn.client / turns
	c.leases += turn.leases / turns
}

// runJob has a new server and a new worker calculate. What they take to start
// is left out.
func runJob(ctx context.Context, program server.Program, data string) (used cost, err error) {
	address, err := addresstest.Any()
	if err != nil {
		return used, err
	}
	s, err := program.Start(ctx, data, address)
	if err != nil {
		return used, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	c, err := client.Dial(ctx, s.URL, client.Options{})
	if err != nil {
		return used, err
	}
	defer c.Close()
	w, err := startChild(ctx, workerFlag, s.URL)
	if err != nil {
		return used, err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	if err := join(ctx, c, w); err != nil {
		return used, err
	}
	return use(ctx, s, w, c)
}

// join waits until the worker has done a small job, and so is there.
func join(ctx context.Context, c *client.Client, w *process.Process) error {
	joined := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, client.Request{Function: "primes", Input: `{"to":"100"}`})
		joined <- err
	}()
	select {
	case err := <-joined:
		return err
	case <-w.Ended():
		return fmt.Errorf("the worker ended: %w", w.Err())
	}
}

// use runs the job and takes the processor times around it.
func use(ctx context.Context, s *server.Server, w *process.Process, c *client.Client) (used cost, err error) {
	granted, err := s.Metric(ctx, grantedMetric)
	if err != nil {
		return used, err
	}
	before, err := look(s.Process, w)
	if err != nil {
		return used, err
	}
	begun, err := process.OwnCPU() // after looking, which is no part of the job
	if err != nil {
		return used, err
	}
	got, err := c.Run(ctx, client.Request{Function: "primes", Input: argument})
	if err != nil {
		return used, err
	}
	ended, err := process.OwnCPU()
	if err != nil {
		return used, err
	}
	after, err := look(s.Process, w)
	if err != nil {
		return used, err
	}
	if string(got) != answer {
		return used, fmt.Errorf("%s gave %s, not %s", argument, got, answer)
	}
	now, err := s.Metric(ctx, grantedMetric)
	return cost{after.server - before.server, after.worker - before.worker, ended - begun, now - granted}, err
}

// look reads the processor times of server and worker as they are.
func look(s, w *process.Process) (c cost, err error) {
	var errs [2]error
	c.server, errs[0] = s.CPU()
	c.worker, errs[1] = w.CPU()
	return c, errors.Join(errs[:]...)
}

// runKernel has a process of its own run the bare function over the units, cut
// in so many intervals, and returns the processor time it took.
func runKernel(ctx context.Context, parts int) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	printed, err := exec.CommandContext(ctx, self, kernelFlag, fmt.Sprint(parts)).Output()
	if err != nil {
		return 0, err
	}
	var got string
	var used time.Duration
	if _, err := fmt.Sscan(string(printed), &got, (*int64)(&used)); err != nil {
		return 0, fmt.Errorf("%q: %w", printed, err)
	}
	if got != answer {
		return 0, fmt.Errorf("%s gave %s, not %s", argument, got, answer)
	}
	return used, nil
}

// startChild starts this program in another role.
func startChild(ctx context.Context, args ...string) (*process.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return process.Start(exec.CommandContext(ctx, self, args...))
}

// percentAbove is by how much a is more than b.
func percentAbove(a, b time.Duration) float64 { return 100 * (a.Seconds()/b.Seconds() - 1) }

func median(of []float64) float64 {
	sorted := slices.SortedFunc(slices.Values(of), cmp.Compare[float64])
	return sorted[len(sorted)/2]
}
