package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/sim"
)

// simSettings are the flags of sim.
type simSettings struct {
	*settings
	seeds, seed uint64
	workers     int
	trace       bool
}

// simCommand runs the simulation.
func simCommand(s *settings) *cobra.Command {
	r := &simSettings{settings: s}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the whole core under simulated crashes, power loss and lost messages",
		Long: `Run the real ledger, node, log, checkpoints and workers under virtual time, with
faults that a seed decides: crashes and restarts of any part, power loss, lost,
late and repeated messages, clocks that jump, workers that hang. After every
step an oracle checks that no acknowledged job is lost and nothing counts twice.

The same seed always gives the same run.`,
		Example: `  polymath sim --seeds 1000
  polymath sim --seeds 1 --seed 42 --trace`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.simulate(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.Uint64Var(&r.seeds, "seeds", 100, "how many runs, one a seed")
	flags.Uint64Var(&r.seed, "seed", 1, "the first seed")
	flags.IntVar(&r.workers, "workers", 0, "how many runs at a time (default one a core)")
	flags.BoolVar(&r.trace, "trace", false, "print every event of the one run (with --seeds 1)")
	return cmd
}

func (r *simSettings) simulate(ctx context.Context) error {
	switch {
	case r.seeds == 0:
		return polymath.Errorf(polymath.InvalidArgument, "--seeds is 0: it must be at least 1")
	case r.trace && r.seeds != 1:
		return polymath.Errorf(polymath.InvalidArgument, "--trace prints one run: give --seeds 1 with it")
	case r.workers < 0 || r.workers > maxWorkers:
		return polymath.Errorf(polymath.InvalidArgument, "--workers is %d: it must be from 1 to %d, or 0 for all cores", r.workers, maxWorkers)
	}
	begun := time.Now()
	report := r.campaign(ctx)
	if err := r.printReport(report, time.Since(begun)); err != nil {
		return polymath.Errorf(polymath.Internal, "print the report: %w", err)
	}
	switch {
	case report.Broken != nil:
		return polymath.Errorf(polymath.JobFailed, "%w", report.Broken)
	case report.Seeds < r.seeds:
		return polymath.Errorf(polymath.Interrupted, "interrupted after %d of %d seeds", report.Seeds, r.seeds)
	}
	return nil
}

// campaign runs the seeds: one with its trace, or many at a time with their
// progress.
func (r *simSettings) campaign(ctx context.Context) sim.Report {
	if r.trace {
		var report sim.Report
		report.Seeds = 1
		report.Counts, report.Broken = sim.Run(r.seed, sim.Options{Trace: r.traced})
		return report
	}
	workers := r.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return sim.Campaign(ctx, r.seed, r.seeds, workers, r.progress())
}

// traced prints an event of the run: a line, or one of JSON. A reader who left
// misses nothing.
func (r *simSettings) traced(event string) {
	if r.output == outputJSON {
		_ = writeLine(r.stdout, struct {
			Event string `json:"event"`
		}{event})
		return
	}
	_, _ = fmt.Fprintln(r.stdout, event)
}

// progress draws how many seeds are done on a terminal.
func (r *simSettings) progress() func(done uint64) {
	width := r.width()
	if width == 0 {
		return nil
	}
	screen := &screen{out: r.stderr, width: width}
	pace := pace{begun: time.Now()}
	job := polymath.Job{Function: "sim", State: polymath.Running, Units: r.seeds}
	pace.line(&job, 0, pace.begun, width)
	var drawn time.Time
	return func(done uint64) {
		now := time.Now()
		if job.Done = done; done == r.seeds {
			job.State = polymath.Succeeded
			_, _ = fmt.Fprintln(screen, pace.line(&job, 0, now, width))
		} else if now.Sub(drawn) >= drawPause {
			drawn = now
			screen.draw(pace.line(&job, 0, now, width))
		}
	}
}

// printReport prints what a campaign came to.
func (r *simSettings) printReport(report sim.Report, took time.Duration) error {
	verdict := "no law was broken"
	if report.Broken != nil {
		verdict = "a law was broken"
	}
	if r.output == outputJSON {
		return json.NewEncoder(r.stdout).Encode(struct {
			Seed    uint64     `json:"seed"`
			Seeds   uint64     `json:"seeds"`
			Verdict string     `json:"verdict"`
			Counts  sim.Counts `json:"counts"`
			Seconds float64    `json:"seconds"`
		}{r.seed, report.Seeds, verdict, report.Counts, took.Seconds()})
	}
	_, err := io.WriteString(r.stdout, fmt.Sprintf("%s%d seeds from %d in %v: %s\n",
		report.Counts, report.Seeds, r.seed, took.Round(time.Millisecond), verdict))
	return err
}
