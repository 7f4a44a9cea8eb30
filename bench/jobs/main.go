// Command jobs measures durable jobs side by side with the queues people use:
// River on PostgreSQL and Asynq on Redis.
//
//	64 callers --submit, acknowledged--> server, syncing <--lease, complete-- workers
//	          `--------------- this process -----------------------------------'
//
// Every system has its server in a process of its own on the same disk, and
// its callers and workers, by its public packages, in this process. A job does
// nothing; its input is 100 bytes and its output 50. A rate is end to end: from
// the first submission until the result of the last job can be read, in
// interleaved rounds. A bar is the middle one of the ratios of each round, as the
// machine's speed changes between them. Of every peer that has knobs, the fastest
// of some variants enters.
//
// It refuses to report if a peer is much slower than what is known of it with a
// disk as fast as this one: a comparison with a peer that is disturbed or badly
// driven is worth nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/device"
	"github.com/polymath-run/polymath/bench/process"
)

// settings of a measurement.
type settings struct {
	length time.Duration // of each run, about
	rounds int
	peers  bool // measure them alone
}

func main() {
	var s settings
	flag.DurationVar(&s.length, "length", 4*time.Second, "how long each run takes, about")
	flag.IntVar(&s.rounds, "rounds", 3, "how many rounds; the middle ratio counts")
	flag.BoolVar(&s.peers, "peers", false, "measure the peers alone, and print no bars")
	flag.Parse()
	process.Main("jobs", func(ctx context.Context, place string) error { return measure(ctx, place, s, os.Stdout) })
}

func measure(ctx context.Context, place string, s settings, out io.Writer) (err error) {
	if err := device.Check(place); err != nil {
		return err
	}
	c := contest{settings: s, out: out, place: place}
	if c.syncTime, err = device.SyncTime(place); err != nil {
		return err
	}
	say(out, "%d cores, %s, files in %s, an append of 4 KiB and its sync take %v\n",
		runtime.GOMAXPROCS(0), runtime.Version(), place, c.syncTime)
	var missing []string
	if c.entrants, missing, err = peers(ctx, out, place); err != nil {
		return err
	}
	if !s.peers {
		own, err := ourEntrants(ctx, place)
		if err != nil {
			return err
		}
		c.entrants = append(own, c.entrants...)
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s could not run here, and there is no bar for them", strings.Join(missing, " and "))
	}
	return nil
}

// contest is all that is measured together.
type contest struct {
	settings
	out      io.Writer
	place    string
	syncTime time.Duration
	entrants []*entrant
}

// run measures and reports.
func (c *contest) run(ctx context.Context) error {
	say(c.out, "\nvariants, briefly:\n")
	for _, e := range c.entrants {
		if err := e.choose(ctx, c.out, c.place, c.length/4); err != nil {
			return err
		}
	}
	for range c.rounds {
		for _, e := range c.entrants {
			if err := e.round(ctx, c.place, c.length); err != nil {
				return err
			}
		}
	}
	if err := c.countSyncs(ctx); err != nil {
		return err
	}
	say(c.out, "\n%s\n", title)
	for _, e := range c.entrants {
		say(c.out, "%s\n", e.line())
	}
	paces, err := c.pace(ctx)
	if err != nil {
		return err
	}
	return c.report(paces)
}

// countSyncs counts, in short runs of their own, the syncs of those servers
// that do not tell: counting slows them.
func (c *contest) countSyncs(ctx context.Context) error {
	for _, e := range c.entrants {
		t, ok := e.variants[0].system.(traceable)
		if !ok || !t.trace(true) {
			continue
		}
		r, err := load{0, e.batch}.run(ctx, e.variants[0].system, c.place)
		t.trace(false)
		if err != nil {
			return fmt.Errorf("count the syncs of %s: %w", e.name, err)
		}
		for i := range e.results {
			e.results[i].syncs, e.results[i].syncsErr = r.syncs, r.syncsErr
		}
	}
	return nil
}

// pace measures those with one job a call at a low rate.
func (c *contest) pace(ctx context.Context) (map[string]latency, error) {
	say(c.out, "\n%d jobs/s               acknowledged p50/p99 ms   result visible p50/p99 ms\n", pace)
	all := make(map[string]latency)
	for _, e := range c.entrants {
		if e.batch > 1 {
			continue
		}
		l, err := measurePace(ctx, e.variants[0].system, c.place)
		if err != nil {
			return nil, fmt.Errorf("%s at %d jobs/s: %w", e.name, pace, err)
		}
		say(c.out, "%-18s %16.2f %8.2f %18.2f %8.2f\n", e.name,
			milliseconds(quantile(l.acknowledged, 0.5)), milliseconds(quantile(l.acknowledged, 0.99)),
			milliseconds(quantile(l.visible, 0.5)), milliseconds(quantile(l.visible, 0.99)))
		all[e.name] = l
	}
	return all, nil
}

// entrant finds one by name; nil if it is not there.
func (c *contest) entrant(name string) *entrant {
	i := slices.IndexFunc(c.entrants, func(e *entrant) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	return c.entrants[i]
}
