// Command balance puts a balancer before servers that are killed, stopped, slow
// and restarted at random for ten minutes, with clients of all sorts before it and
// somebody who changes its configuration meanwhile; then it looks whether every
// answer was the right one for its request, and whether the balancer, once
// everybody has left, has as many descriptors and goroutines as at the start.
//
//	clients ══► polymath balance ══► 4 upstreams   killed, stopped, slow, restarted
//	   │              ▲
//	answers with      └── good and bad files, admin API
//	the request's id
//
// In between and at the end there is calm: with everybody well again no request
// may fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// settings of a soak.
type settings struct {
	length  time.Duration
	seed    uint64
	each    int           // clients of each sort
	longest time.Duration // from one trouble to the next
	keep    bool          // leave the directory behind
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == upstreamRole {
		process.End("balance", serve(os.Args[2:]))
		return
	}
	s := settings{}
	flag.DurationVar(&s.length, "length", 10*time.Minute, "how long there is trouble")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of what happens and when")
	flag.IntVar(&s.each, "each", 2, "clients of each sort")
	flag.DurationVar(&s.longest, "longest", 400*time.Millisecond, "at most, from one trouble to the next")
	flag.BoolVar(&s.keep, "keep", false, "leave the logs and configurations behind")
	flag.Parse()
	process.Run("balance", func(ctx context.Context) error { return soak(ctx, s, os.Stdout) })
}

// phase is how long there is trouble before there is calm once.
const phase = time.Minute

// soak starts everybody, makes trouble, and counts in the end.
func soak(ctx context.Context, s settings, out io.Writer) (err error) {
	place, err := os.MkdirTemp("", "polymath-balance-")
	if err != nil {
		return err
	}
	if s.keep {
		_, _ = fmt.Fprintln(out, "in", place)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	}
	_, _ = fmt.Fprintf(out, "%d clients of each sort, %v, seed %d\n", s.each, s.length, s.seed)
	c, err := newCast(ctx, s, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	random := rand.New(rand.NewPCG(s.seed, 0))
	before, err := c.census(ctx)
	if err != nil {
		return fmt.Errorf("before the clients, seed %d: %w", s.seed, err)
	}
	t := newTally()
	for left := s.length; left > 0; left -= phase {
		if err := c.trouble(ctx, t, random, min(left, phase)); err != nil {
			return fmt.Errorf("seed %d: %w", s.seed, err)
		}
		if err := c.calm(ctx, t); err != nil {
			return fmt.Errorf("calm, seed %d: %w", s.seed, err)
		}
	}
	if err := c.twice(t); err != nil {
		return err
	}
	left, err := c.leaks(ctx, before)
	if err != nil {
		return fmt.Errorf("after the clients, seed %d: %w", s.seed, err)
	}
	t.tell(out)
	_, _ = fmt.Fprintf(out, "%s\nat the start %v; after %v\n", c.happened(), before, left)
	more := left.over(before)
	_, _ = fmt.Fprintf(out, "bar balance/leaked-descriptors %d\nbar balance/leaked-goroutines %d\nbar balance/wrong %d\n",
		more.descriptors, more.goroutines, t.wrong)
	if t.wrong > 0 || more != (census{}) {
		return fmt.Errorf("seed %d:\n%s%s", s.seed, strings.Join(t.complaints, "\n"), c.obituary(more))
	}
	return nil
}
