package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function"
)

// runName is the name of the command that functions are below.
const runName = "run"

// maxWorkers bounds --workers: more goroutines that calculate than this help
// on no machine.
const maxWorkers = 1024

// runSettings are the flags of run, whatever the function.
type runSettings struct {
	jobSettings
	workers int // 0: as many as there are cores
	fresh   bool
	// certificate is the file the certificate of the answer goes to; "": it
	// stays in the answer.
	certificate string
}

// runCommand is run, with a command for each function below it.
func runCommand(s *settings) *cobra.Command {
	r := &runSettings{jobSettings: jobSettings{remote: remote{settings: s}}}
	cmd := &cobra.Command{
		Use:   runName + " FUNCTION",
		Short: "Calculate and print the answer",
		Long: `Calculate on this machine and print the answer on standard output.

The job and every partial result are kept in the data directory before they
count. When the program is killed, or interrupted with Ctrl-C, the same command
goes on from what was counted; --new begins again.

With --server, or where a server uses the data directory, the job is submitted
to that server and waited for. Ctrl-C lets it go on there; 'polymath watch JOB'
comes back to it.`,
		Example: `  polymath run primes --to 1e9
  polymath run isprime 2^61
  polymath run isprime --numbers 2,3,5 --output json
  seq 1 100 | polymath run isprime --numbers -
  polymath run primes --to 1e12 --server http://127.0.0.1:8080`,
		Args: cobra.ArbitraryArgs,
		RunE: r.runForeign,
	}
	flags := cmd.PersistentFlags()
	r.jobSettings.flags(flags)
	flags.Lookup("priority").Usage += " (default on this machine: before what is unfinished)"
	r.remote.flag(flags, "")
	flags.IntVar(&r.workers, "workers", 0, "how many cores of this machine calculate (default all)")
	flags.BoolVar(&r.fresh, "new", false, "cancel an unfinished run of the same calculation in this directory and begin again")
	flags.StringVar(&r.certificate, "certificate", "", "the `file` for the certificate of an answer with --verify")
	r.addFunctions(cmd, r.runFunction)
	return cmd
}

// runFunction runs a function that is built in.
func (r *runSettings) runFunction(cmd *cobra.Command, f function.Function, args []string) error {
	d := f.Describe()
	if d.Dev && !r.dev && r.server == "" {
		return forTrials(d.Name)
	}
	if err := r.checkOptions(); err != nil {
		return err
	}
	input, err := r.read(cmd, d, args)
	if err != nil {
		return err
	}
	spec, err := r.plan(f, input)
	if err != nil {
		return err
	}
	if r.server != "" {
		return r.runThere(cmd.Context(), r.request(d.Name, spec.Input))
	}
	err = r.calculate(cmd.Context(), f, spec, !cmd.Flags().Changed("priority"))
	if used, ok := errors.AsType[*app.InUseError](err); ok && used.Holder.Address != "" {
		r.server = used.Holder.Address
		r.sayIgnored()
		return r.runThere(cmd.Context(), r.request(d.Name, spec.Input))
	}
	return err
}

// localFlags are for a calculation in this process.
func localFlags() []string { return []string{"workers", "new"} }

// sayIgnored says what was asked for that a server decides for itself.
func (r *runSettings) sayIgnored() {
	for _, name := range localFlags() {
		if r.typed[name] {
			_, _ = fmt.Fprintf(r.stderr, "polymath: --%s is for a calculation here, and without effect: the server %s has the data directory and calculates\n", name, r.server)
		}
	}
}

// forTrials refuses a function that nobody wants by accident.
func forTrials(name string) error {
	return polymath.Errorf(polymath.InvalidArgument, "the function %s is for trials: it is offered with --dev", name)
}

// runForeign runs a function that is not built in, where a server is named.
func (r *runSettings) runForeign(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return polymath.Errorf(polymath.InvalidArgument, "which function? 'polymath functions' lists them")
	case r.server == "":
		return unknown("function", args[0], subcommands(cmd))
	}
	if err := r.checkOptions(); err != nil {
		return err
	}
	name, input, err := r.foreign(args)
	if err != nil {
		return err
	}
	return r.runThere(cmd.Context(), r.request(name, input))
}

// plan makes the job of an input. Nothing has been opened yet: a bad input
// costs nothing.
func (r *runSettings) plan(f function.Function, input []byte) (spec polymath.Spec, err error) {
	spec = polymath.Spec{
		Function: f.Describe().Name,
		Options:  polymath.Options{Queue: r.queue, Priority: r.priority, Attempts: r.attempts, SkipDead: r.skipDead},
	}
	if spec.Input, spec.Plan, err = f.Plan(input); err != nil {
		return spec, err
	}
	return spec, r.checkCertificate(spec.Input)
}

func (r *runSettings) checkOptions() error {
	if r.workers < 0 || r.workers > maxWorkers {
		return polymath.Errorf(polymath.InvalidArgument, "--workers is %d: it must be from 1 to %d, or 0 for all cores", r.workers, maxWorkers)
	}
	for _, name := range localFlags() {
		if r.server != "" && r.typed[name] {
			return polymath.Errorf(polymath.InvalidArgument, "--%s is for a calculation here, not at the server %s: leave it out, or calculate here with --server ''", name, r.server)
		}
	}
	return r.check()
}

// calculate runs a job in this process, through the same journal, ledger and
// node as everywhere, and prints its answer.
func (r *runSettings) calculate(ctx context.Context, f function.Function, spec polymath.Spec, ahead bool) error {
	path, err := r.directory()
	if err != nil {
		return err
	}
	screen := &screen{out: r.stderr, width: r.width()}
	log := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	a, err := app.Open(ctx, app.Options{Directory: path, Version: version(), Log: log})
	if err != nil {
		return err
	}
	defer func() {
		if err := a.Close(); err != nil {
			log.Warn("the data directory was not left in order; nothing that was acknowledged is lost", "error", err)
		}
	}()
	begun, err := a.Begin(ctx, app.Request{
		Tenant: r.tenant, Spec: spec, Deadline: r.deadline, Fresh: r.fresh, Ahead: ahead,
	})
	if err != nil {
		return err
	}
	screen.begun(begun)
	workers := r.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	a.Work(function.NewSet(f), workers)

	job, err := r.follow(ctx, a, begun.Job, screen)
	if polymath.CodeOf(err) == polymath.Interrupted {
		return polymath.Errorf(polymath.Interrupted, "detached from %v: the same command goes on from what is counted", begun.Job)
	}
	if err != nil {
		return err
	}
	return r.report(f, job)
}

// follow waits for a job and shows how far it is.
func (r *runSettings) follow(ctx context.Context, a *app.App, id polymath.JobID, screen *screen) (polymath.Job, error) {
	stop := screen.watch(func() (polymath.Job, uint64, error) { return a.Job(id) })
	job, err := a.Wait(ctx, id)
	stop()
	return job, err
}

// report prints what became of a job; the error says that it has no answer.
func (r *runSettings) report(f function.Function, job polymath.Job) error {
	out := result{
		Job: job.ID.String(), Function: job.Function, Input: job.Input, State: job.State.String(),
		Units: job.Units, Dead: job.Dead, Seconds: float64(max(job.Finished-job.Submitted, 0)) / 1000,
	}
	if job.State == polymath.Succeeded {
		answer, err := f.Answer(job.Input, job.Result)
		if err != nil {
			return err
		}
		out.Result = answer
	} else {
		out.Code, out.Error = job.Code.String(), job.Error
	}
	return r.printCertified(out)
}

// printCertified prints a result whose certificate goes where it is to go.
func (r *runSettings) printCertified(out result) error {
	var kept error
	if out.Result != nil {
		out.Result, kept = r.keepCertificate(out.Result)
	}
	err := r.printResult(out)
	if kept != nil {
		return kept
	}
	return err
}

// withoutTime drops the time from log lines that somebody reads as they come.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
