package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
)

// maxArguments bounds how many things one command is about.
const maxArguments = 1000

// cancelCommand cancels jobs.
func cancelCommand(s *settings) *cobra.Command {
	o := &remote{settings: s}
	cmd := &cobra.Command{
		Use:   "cancel ID...",
		Short: "Cancel jobs that are not finished",
		Long: `Cancel jobs that are not finished. What was calculated of them is let go of. A
job that has finished already stays as it is and is refused; the others are
cancelled nevertheless.`,
		Example:           "  polymath cancel j00041a",
		ValidArgsFunction: o.completer(jobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := jobIDs(cmd, args, 1, maxArguments)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), func(c *client.Client) error {
				return each(o.settings, ids, func(id polymath.JobID) error { return o.cancel(cmd.Context(), c, id) })
			})
		},
	}
	o.flag(cmd.Flags(), defaultServer)
	return cmd
}

func (o *remote) cancel(ctx context.Context, c *client.Client, id polymath.JobID) error {
	patient, stop := context.WithTimeout(ctx, submitLimit)
	defer stop()
	switch err := c.Cancel(patient, id); {
	case ctx.Err() != nil:
		return polymath.Errorf(polymath.Interrupted, "interrupted: %v may or may not be cancelled", id)
	case err != nil:
		return err
	case o.output == outputJSON:
		return writeLine(o.stdout, struct {
			Job   string `json:"job"`
			State string `json:"state"`
		}{id.String(), polymath.Cancelled.String()})
	}
	_, err := fmt.Fprintf(o.stdout, "%v %v\n", id, polymath.Cancelled)
	return err
}

// each does something about each of several things, whatever becomes of the
// others. The error is that of the only one, or says how many failed, with the
// code of the first; each is told of then.
func each[T any](s *settings, things []T, do func(T) error) error {
	var first error
	failed := 0
	for _, thing := range things {
		err := do(thing)
		switch {
		case err == nil:
			continue
		case len(things) == 1 || polymath.CodeOf(err) == polymath.Interrupted:
			return err
		case first == nil:
			first = err
		}
		failed++
		_, _ = fmt.Fprintf(s.stderr, "polymath: %s\n", printableLines(err.Error()))
	}
	if failed == 0 {
		return nil
	}
	return polymath.Errorf(polymath.CodeOf(first), "%d of %d failed", failed, len(things))
}
