// Command recover measures how long the work of a worker lies still after its
// process was killed: from SIGKILL until the work runs in another process.
//
//	parent ──start, SIGKILL──> worker A: runs the job, and never ends it
//	   ^───"NAME runs"──────── worker B: has a slot free, and gets the job then
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/client"
)

// limit is how long one trial may take: far more than anything promised.
const limit = 60 * time.Second

func main() {
	if len(os.Args) == 4 && os.Args[1] == workerFlag {
		process.End("recover: worker", work(os.Args[2], os.Args[3]))
		return
	}
	trials := flag.Int("trials", 11, "how many workers are killed; the middle one is the bar")
	flag.Parse()
	process.Main("recover", func(ctx context.Context, place string) error { return measure(ctx, place, *trials, os.Stdout) })
}

func measure(ctx context.Context, place string, trials int, out io.Writer) (err error) {
	_, s, err := server.Launch(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	c, err := client.Dial(ctx, s.URL, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	var took []time.Duration
	for range trials {
		d, err := trial(ctx, s, c)
		if err != nil {
			return err
		}
		took = append(took, d.Round(time.Millisecond))
	}
	slices.Sort(took)
	_, _ = fmt.Fprintf(out, "killed, and run elsewhere after: %v\nbar recover/worker-s %.3f\n", took, took[len(took)/2].Seconds())
	return nil
}

// trial kills one worker and waits until its job runs in the other.
func trial(ctx context.Context, s *server.Server, c *client.Client) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	first, err := startWorker(ctx, s.URL, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, first.Kill()) }()
	moved, err := hold(ctx, c, first)
	if err != nil {
		return 0, err
	}
	// The other one has joined, and has one of its two slots free, once
	// another job runs there.
	second, err := startWorker(ctx, s.URL, 2)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, second.Kill()) }()
	other, err := hold(ctx, c, second)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := first.Kill(); err != nil {
		return 0, err
	}
	if err := second.runs(ctx, moved.name); err != nil {
		return 0, err
	}
	took = time.Since(begun)
	return took, errors.Join(c.Cancel(ctx, moved.id), c.Cancel(ctx, other.id))
}
