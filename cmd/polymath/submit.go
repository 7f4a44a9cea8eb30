package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/function"
)

// submitName is the name of the command that submits.
const submitName = "submit"

// submitSettings are the flags of submit, whatever the function.
type submitSettings struct {
	jobSettings
	wait  bool
	key   string
	lines string // a file of inputs, or -; "" for one job
}

// submitCommand hands jobs to a server.
func submitCommand(s *settings) *cobra.Command {
	o := &submitSettings{jobSettings: jobSettings{remote: remote{settings: s}}}
	cmd := &cobra.Command{
		Use:   submitName + " FUNCTION",
		Short: "Submit a calculation to a server and print its job id",
		Long: `Submit a calculation to a server. When the job id is printed the job is durable:
it will finish, whatever dies. The parameters are those of 'polymath run'; the
input of a function that only workers have is given with --input.

With --input-file each line of a file is the input object of one job, and the
ids are printed in the order of the lines.`,
		Example: `  polymath submit primes --to 1e12
  polymath submit primes --to 1e9 --wait
  polymath submit isprime --numbers 2,3,5 --key order-1042
  polymath submit greet --input '{"name":"Ada"}'
  polymath submit primes --input-file inputs.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return polymath.Errorf(polymath.InvalidArgument, "which function? 'polymath functions' lists them")
			}
			return o.begin(cmd.Context(), args[0], func() ([]byte, error) {
				_, input, err := o.foreign(args)
				return input, err
			})
		},
		ValidArgsFunction: o.completer(functions),
	}
	flags := cmd.PersistentFlags()
	o.jobSettings.flags(flags)
	o.flag(flags, defaultServer)
	flags.BoolVar(&o.wait, "wait", false, "wait for the end and print the answer instead of the id")
	flags.StringVar(&o.key, "key", "", "an idempotency `key`: with the same key the same request leads to the same job")
	flags.StringVar(&o.lines, "input-file", "", "a `file` of inputs, one JSON object a line, or - for standard input")
	o.addFunctions(cmd, func(cmd *cobra.Command, f function.Function, args []string) error {
		d := f.Describe()
		return o.begin(cmd.Context(), d.Name, func() ([]byte, error) { return o.read(cmd, d, args) })
	})
	return cmd
}

// begin submits one job or many.
func (o *submitSettings) begin(ctx context.Context, name string, read func() ([]byte, error)) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.key != "" && o.deadline > 0 {
		return polymath.Errorf(polymath.InvalidArgument,
			"--deadline counts from now, so that the same command would not be the same request again: give --key or --deadline, not both")
	}
	input, err := read()
	if err != nil {
		return err
	}
	if o.lines != "" {
		if len(input) > 0 && string(input) != "{}" {
			return polymath.Errorf(polymath.InvalidArgument, "give either --input-file or an input, not both")
		}
		return o.many(ctx, name)
	}
	return o.ask(ctx, func(c *client.Client) error {
		request := o.request(name, input)
		request.Key = o.key
		outcomes, err := o.submit(ctx, c, []client.Request{request})
		if err != nil {
			return err
		}
		if err := outcomes[0].Err; err != nil {
			return err
		}
		if !o.wait {
			return o.printID(&outcomes[0])
		}
		job, err := o.await(ctx, c, outcomes[0].Job, &screen{out: o.stderr, width: o.width()})
		if err != nil {
			return err
		}
		return o.printResult(resultOf(&job))
	})
}

// submitted is a job as --output json prints it when it was submitted.
type submitted struct {
	Job      string `json:"job,omitempty"`
	Existing bool   `json:"existing,omitempty"` // the key led to it
	Code     string `json:"code,omitempty"`
	Error    string `json:"error,omitempty"`
}

func (o *submitSettings) printID(outcome *client.Outcome) error {
	if o.output == outputJSON {
		return writeLine(o.stdout, submitted{Job: outcome.Job.String(), Existing: outcome.Existing})
	}
	_, err := fmt.Fprintln(o.stdout, outcome.Job)
	return err
}
