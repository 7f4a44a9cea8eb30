package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
)

// runName is the name of the command that functions are below.
const runName = "run"

// maxWorkers bounds --workers: more goroutines that calculate than this help
// on no machine.
const maxWorkers = 1024

// runSettings are the flags of run, whatever the function.
type runSettings struct {
	*settings
	input    string // a JSON object, @file or -; "" when there are parameters
	workers  int    // 0: as many as there are cores
	fresh    bool
	queue    string
	tenant   string
	priority int8
	attempts uint8
	deadline time.Duration
	skipDead bool
	// certificate is the file the certificate of the answer goes to; "": it
	// stays in the answer.
	certificate string
}

// runCommand is run, with a command for each function below it.
func runCommand(s *settings) *cobra.Command {
	r := &runSettings{settings: s}
	cmd := &cobra.Command{
		Use:   runName + " FUNCTION",
		Short: "Calculate and print the answer",
		Long: `Calculate on this machine and print the answer on standard output.

The job and every partial result are kept in the data directory before they
count. When the program is killed, or interrupted with Ctrl-C, the same command
goes on from what was counted; --new begins again.`,
		Example: `  polymath run primes --to 1e9
  polymath run isprime 2^61
  polymath run isprime --numbers 2,3,5 --output json
  seq 1 100 | polymath run isprime --numbers -`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return polymath.Errorf(polymath.InvalidArgument, "which function? 'polymath functions' lists them")
			}
			return unknown("function", args[0], subcommands(cmd))
		},
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&r.input, "input", "", "the whole input as a `JSON` object, @FILE or - for standard input, instead of parameters")
	flags.IntVar(&r.workers, "workers", 0, "how many cores calculate (default all)")
	flags.BoolVar(&r.fresh, "new", false, "cancel an unfinished run of the same calculation and begin again")
	flags.StringVar(&r.queue, "queue", polymath.DefaultQueue, "the `name` of the queue")
	flags.StringVar(&r.tenant, "tenant", "default", "the `name` of whom the job belongs to")
	flags.Int8Var(&r.priority, "priority", 0, "from -100 to 100, the higher the sooner (default: before what is unfinished)")
	flags.Uint8Var(&r.attempts, "attempts", polymath.DefaultAttempts, "how often a part that fails is tried, 1 to 20")
	flags.DurationVar(&r.deadline, "deadline", 0, "fail when not finished this long after the submission, such as 90s or 12h")
	flags.BoolVar(&r.skipDead, "skip-dead", false, "give the answer without the units that cannot be calculated")
	flags.StringVar(&r.certificate, "certificate", "", "the `file` for the certificate of an answer with --verify")
	for _, name := range all.Set(true).Names() {
		cmd.AddCommand(r.functionCommand(name))
	}
	return cmd
}

// functionCommand runs one function.
func (r *runSettings) functionCommand(name string) *cobra.Command {
	f, err := all.Set(true).Get(name)
	if err != nil {
		panic(err) // the name comes from this very set
	}
	d := f.Describe()
	_, dev := r.lookup(envPrefix + "DEV")
	cmd := &cobra.Command{
		Use:               usage(d),
		Short:             d.Summary,
		Long:              details(d),
		Example:           "  polymath run " + d.Name + " " + d.Example.Args,
		Hidden:            d.Dev && !dev,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.Dev && !r.dev {
				return polymath.Errorf(polymath.InvalidArgument, "the function %s is for trials: it is offered with --dev", d.Name)
			}
			spec, err := r.plan(cmd, f, args)
			if err != nil {
				return err
			}
			return r.calculate(cmd.Context(), f, spec, !cmd.Flags().Changed("priority"))
		},
	}
	addParameters(cmd.Flags(), d.Params)
	return cmd
}

// plan makes the job of what was typed. Nothing has been opened yet: a bad
// input costs nothing.
func (r *runSettings) plan(cmd *cobra.Command, f function.Function, args []string) (spec polymath.Spec, err error) {
	if err := r.checkOptions(); err != nil {
		return spec, err
	}
	given, err := fields(cmd.Flags(), f.Describe(), args)
	if err != nil {
		return spec, err
	}
	var input []byte
	switch {
	case r.input == "":
		input, err = r.inputObject(given)
	case len(given) > 0:
		err = polymath.Errorf(polymath.InvalidArgument, "give either --input or parameters, not both")
	default:
		var text string
		text, err = r.readArgument(r.input)
		input = []byte(text)
	}
	if err != nil {
		return spec, err
	}
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
	refuse := func(format string, args ...any) error {
		return polymath.Errorf(polymath.InvalidArgument, format, args...)
	}
	switch {
	case r.workers < 0 || r.workers > maxWorkers:
		return refuse("--workers is %d: it must be from 1 to %d, or 0 for all cores", r.workers, maxWorkers)
	case r.priority < polymath.MinPriority || r.priority > polymath.MaxPriority:
		return refuse("--priority is %d: it must be from %d to %d", r.priority, polymath.MinPriority, polymath.MaxPriority)
	case r.attempts < 1 || r.attempts > polymath.MaxAttempts:
		return refuse("--attempts is %d: it must be from 1 to %d", r.attempts, polymath.MaxAttempts)
	case r.deadline < 0:
		return refuse("--deadline is %v: it must be more than 0", r.deadline)
	case r.queue == "" || len(r.queue) > polymath.MaxNameBytes:
		return refuse("--queue must have 1 to %d bytes", polymath.MaxNameBytes)
	case r.tenant == "" || len(r.tenant) > polymath.MaxNameBytes:
		return refuse("--tenant must have 1 to %d bytes", polymath.MaxNameBytes)
	}
	return nil
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

// result is a job as --output json prints it.
type result struct {
	Job      string          `json:"job"`
	Function string          `json:"function"`
	Input    json.RawMessage `json:"input"`
	State    string          `json:"state"`
	Result   json.RawMessage `json:"result,omitempty"`
	Units    uint64          `json:"units"`
	Dead     uint64          `json:"dead,omitempty"` // units the answer is without
	Code     string          `json:"code,omitempty"`
	Error    string          `json:"error,omitempty"`
	// Seconds from the submission to the end by the clock, pauses between
	// two runs included.
	Seconds float64 `json:"seconds"`
}

// report prints what became of a job; the error says that it has no answer.
func (r *runSettings) report(f function.Function, job polymath.Job) error {
	out := result{
		Job: job.ID.String(), Function: job.Function, Input: job.Input, State: job.State.String(),
		Units: job.Units, Dead: job.Dead, Seconds: float64(max(job.Finished-job.Submitted, 0)) / 1000,
	}
	var failure error
	if job.State == polymath.Succeeded {
		answer, err := f.Answer(job.Input, job.Result)
		if err != nil {
			return err
		}
		out.Result, failure = r.keepCertificate(answer)
	} else {
		out.Code, out.Error = job.Code.String(), job.Error
		failure = polymath.Errorf(polymath.JobFailed, "%v %s: %s", job.ID, job.State, job.Error)
	}
	if err := r.print(out); err != nil {
		return polymath.Errorf(polymath.Internal, "print the answer: %w", err)
	}
	if job.State == polymath.Succeeded && job.Dead > 0 {
		_, _ = fmt.Fprintf(r.stderr, "polymath: the answer is without %d of %d units, which could not be calculated\n", job.Dead, job.Units)
	}
	return failure
}

func (r *runSettings) print(out result) error {
	if r.output == outputJSON {
		return json.NewEncoder(r.stdout).Encode(out)
	}
	if out.Result == nil {
		return nil
	}
	return writeText(r.stdout, out.Result)
}

// withoutTime drops the time from log lines that somebody reads as they come.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
