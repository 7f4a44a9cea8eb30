package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
)

// jobSettings are the flags of a calculation, wherever it runs.
type jobSettings struct {
	remote
	input    string // a JSON object, @file or -; "" when there are parameters
	queue    string
	tenant   string
	priority int8
	attempts uint8
	deadline time.Duration
	skipDead bool
}

func (j *jobSettings) flags(flags *pflag.FlagSet) {
	flags.StringVar(&j.input, "input", "", "the whole input as a `JSON` object, @FILE or - for standard input, instead of parameters")
	flags.StringVar(&j.queue, "queue", polymath.DefaultQueue, "the `name` of the queue")
	flags.StringVar(&j.tenant, "tenant", "default", "the `name` of whom the job belongs to")
	flags.Int8Var(&j.priority, "priority", 0, "from -100 to 100, the higher the sooner")
	flags.Uint8Var(&j.attempts, "attempts", polymath.DefaultAttempts, "how often a part that fails is tried, 1 to 20")
	flags.DurationVar(&j.deadline, "deadline", 0, "fail when not finished this long after the submission, such as 90s or 12h")
	flags.BoolVar(&j.skipDead, "skip-dead", false, "give the answer without the units that cannot be calculated")
}

// check refuses what the flag package could not judge.
func (j *jobSettings) check() error {
	refuse := func(format string, args ...any) error {
		return polymath.Errorf(polymath.InvalidArgument, format, args...)
	}
	switch {
	case j.priority < polymath.MinPriority || j.priority > polymath.MaxPriority:
		return refuse("--priority is %d: it must be from %d to %d", j.priority, polymath.MinPriority, polymath.MaxPriority)
	case j.attempts < 1 || j.attempts > polymath.MaxAttempts:
		return refuse("--attempts is %d: it must be from 1 to %d", j.attempts, polymath.MaxAttempts)
	case j.deadline < 0:
		return refuse("--deadline is %v: it must be more than 0", j.deadline)
	}
	if err := polymath.CheckName("queue", j.queue); err != nil {
		return refuse("--queue: %w", err)
	}
	if err := polymath.CheckName("tenant", j.tenant); err != nil {
		return refuse("--tenant: %w", err)
	}
	return nil
}

// read makes the input object of what was typed: --input, or parameters of a
// function whose flags cmd has.
func (j *jobSettings) read(cmd *cobra.Command, d function.Description, args []string) ([]byte, error) {
	given, err := fields(cmd.Flags(), d, args)
	switch {
	case err != nil:
		return nil, err
	case j.input == "":
		return j.inputObject(given)
	case len(given) > 0:
		return nil, polymath.Errorf(polymath.InvalidArgument, "give either --input or parameters, not both")
	}
	text, err := j.readArgument(j.input)
	return []byte(text), err
}

// request is what a server is asked for.
func (j *jobSettings) request(name string, input []byte) client.Request {
	r := client.Request{
		Function: name, Input: input, Tenant: j.tenant, Queue: j.queue, Priority: j.priority, Attempts: j.attempts, SkipDead: j.skipDead,
	}
	if j.deadline > 0 {
		r.Deadline = time.Now().Add(j.deadline)
	}
	return r
}

// addFunctions adds a command for each function that is built in.
func (j *jobSettings) addFunctions(parent *cobra.Command, do func(cmd *cobra.Command, f function.Function, args []string) error) {
	_, dev := j.lookup(envPrefix + "DEV")
	set := all.Set(true)
	for _, name := range set.Names() {
		f, err := set.Get(name)
		if err != nil {
			panic(err) // the name comes from this very set
		}
		d := f.Describe()
		cmd := &cobra.Command{
			Use:               usage(d),
			Short:             d.Summary,
			Long:              details(d),
			Example:           "  polymath " + parent.Name() + " " + d.Name + " " + d.Example.Args,
			Hidden:            d.Dev && !dev,
			Args:              cobra.ArbitraryArgs,
			ValidArgsFunction: cobra.NoFileCompletions,
			RunE:              func(cmd *cobra.Command, args []string) error { return do(cmd, f, args) },
		}
		addParameters(cmd, d.Params)
		parent.AddCommand(cmd)
	}
}

// foreign is the name and the input of a function that is not built in: what
// its parameters are, only the server knows, and checks.
func (j *jobSettings) foreign(args []string) (name string, input []byte, err error) {
	if len(args) > 1 {
		return "", nil, polymath.Errorf(polymath.InvalidArgument, "%q is not built in: give its whole input as --input '{...}', not as arguments", args[0])
	}
	if j.input == "" {
		return args[0], nil, nil
	}
	text, err := j.readArgument(j.input)
	return args[0], []byte(text), err
}
