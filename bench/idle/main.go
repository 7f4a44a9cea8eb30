// Command idle measures what a server and a worker take of a processor while
// there is nothing to do: their loops, timers and heartbeats.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/client"
)

// settle is how long both are left alone before they are watched.
const settle = 3 * time.Second

func main() {
	length := flag.Duration("length", 20*time.Second, "how long they are watched")
	flag.Parse()
	process.Main("idle", func(ctx context.Context, place string) error { return measure(ctx, place, *length, os.Stdout) })
}

func measure(ctx context.Context, place string, length time.Duration, out io.Writer) (err error) {
	program, s, err := server.Launch(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	w, err := program.Worker(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Stop()) }()
	if err := once(ctx, s); err != nil {
		return err
	}
	return watch(ctx, out, length, s.Process, w)
}

// once lets both work: what they keep doing afterwards is part of being idle.
func once(ctx context.Context, s *server.Server) error {
	c, err := client.Dial(ctx, s.URL, client.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	const primes, want = `{"to":"1e8"}`, "5761455"
	answer, err := c.Run(ctx, client.Request{Function: "primes", Input: primes})
	if err == nil && string(answer) != want {
		err = fmt.Errorf("primes of %s: %s, not %s", primes, answer, want)
	}
	return err
}

// watch adds up what both take, as a part of one processor in percent.
func watch(ctx context.Context, out io.Writer, length time.Duration, s, w *process.Process) error {
	if err := process.Pause(ctx, settle); err != nil {
		return err
	}
	var percent [2]float64
	var before [2]time.Duration
	both := [...]*process.Process{s, w}
	var err error
	for i, p := range both {
		if before[i], err = p.CPU(); err != nil {
			return err
		}
	}
	if err := process.Pause(ctx, length); err != nil {
		return err
	}
	for i, p := range both {
		after, err := p.CPU()
		if err != nil {
			return err
		}
		percent[i] = 100 * (after - before[i]).Seconds() / length.Seconds()
	}
	_, _ = fmt.Fprintf(out, "in %v: server %.2f %%, worker %.2f %% of one processor\nbar idle/cpu-pct %.2f\n",
		length, percent[0], percent[1], percent[0]+percent[1])
	return nil
}
