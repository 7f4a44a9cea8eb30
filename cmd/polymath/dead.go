package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// deadSettings are the flags of dead.
type deadSettings struct {
	remote
	paging
	filter     client.LetterFilter
	job        string
	purgeQueue string
	tenant     string // of purgeQueue
}

// deadCommand lists dead letters, and has commands for each of them.
func deadCommand(s *settings) *cobra.Command {
	o := &deadSettings{remote: remote{settings: s}}
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "List dead letters: units that could not be calculated",
		Long: `List the dead letters of a server: units that failed as often as their jobs
allowed. A queue with 100,000 of them refuses new work. A letter is named JOB:UNIT.`,
		Example: `  polymath dead
  polymath dead show j00041a:7
  polymath dead requeue j00041a:7
  polymath dead purge --queue default`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(o.typed); err != nil {
				return err
			}
			if o.job != "" {
				var err error
				if o.filter.Job, err = polymath.ParseJobID(o.job); err != nil {
					return err
				}
			}
			return o.ask(cmd.Context(), func(c *client.Client) error { return o.list(cmd.Context(), c) })
		},
	}
	o.flag(cmd.PersistentFlags(), defaultServer)
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.filter.Queue, "queue", "", "only those of queues of this `name`")
	cmd.Flags().StringVar(&o.filter.Tenant, "tenant", "", "only those of this `tenant`")
	cmd.Flags().StringVar(&o.job, "job", "", "only those of the job with this `id`")
	completeFrom(cmd, "job", o.completer(jobs))
	completeFrom(cmd, "queue", o.completer(queues))
	cmd.AddCommand(o.showCommand(), o.requeueCommand(), o.purgeCommand())
	return cmd
}

func (o *deadSettings) list(ctx context.Context, c *client.Client) error {
	table := grid{settings: o.settings, heading: "LETTER\tFUNCTION\tATTEMPTS\tAGE\tQUEUE\tERROR"}
	o.filter.After, o.filter.Page = o.after, o.limit
	if o.all {
		o.filter.Page = api.MaxPage
	}
	for {
		page, err := c.DeadLetterPage(ctx, o.filter)
		if err != nil {
			return err
		}
		for i := range page.Items {
			l := &page.Items[i]
			if o.output == outputJSON {
				if err := writeLine(o.stdout, l); err != nil {
					return err
				}
				continue
			}
			table.row(fmt.Sprintf("%s:%d", l.Job, l.Unit), l.Function, l.Attempts, age(&l.Time, time.Now()), l.Queue, l.Error)
		}
		if err := table.flush(); err != nil {
			return err
		}
		o.filter.After = page.Next
		switch enough := len(page.Items) > 0; {
		case page.Next == "":
			table.none("such dead letters")
			return nil
		case enough && !o.all:
			o.hint("there are more: --all lists them, --after %s goes on", page.Next)
			return nil
		}
	}
}

// letter names a dead letter.
type letter struct {
	job  polymath.JobID
	unit uint64
}

// letters reads names of dead letters.
func letters(cmd *cobra.Command, args []string, most int) ([]letter, error) {
	if len(args) < 1 || len(args) > most {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%s takes 1 to %d dead letters, not %d; 'polymath dead' lists them", cmd.Name(), most, len(args))
	}
	all := make([]letter, len(args))
	for i, text := range args {
		job, unit, ok := strings.Cut(text, ":")
		id, err := polymath.ParseJobID(job)
		n, bad := strconv.ParseUint(unit, 10, 64)
		if !ok || err != nil || bad != nil {
			return nil, polymath.Errorf(polymath.InvalidArgument, "%.80q is no dead letter: one is named JOB:UNIT, as in j00041a:7", text)
		}
		all[i] = letter{id, n}
	}
	return all, nil
}

// known lists names of dead letters, for completion.
func known(ctx context.Context, c *client.Client) (names []string) {
	page, err := c.DeadLetterPage(ctx, client.LetterFilter{Page: completedJobs})
	if err != nil {
		return nil
	}
	for i := range page.Items {
		names = append(names, fmt.Sprintf("%s:%d", page.Items[i].Job, page.Items[i].Unit))
	}
	return names
}

func (o *deadSettings) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show JOB:UNIT",
		Short:             "Show a dead letter",
		Example:           "  polymath dead show j00041a:7",
		ValidArgsFunction: o.completer(known),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := letters(cmd, args, 1)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), func(c *client.Client) error {
				l, err := c.DeadLetter(cmd.Context(), all[0].job, all[0].unit)
				if err != nil {
					return err
				}
				return o.printLetter(&l)
			})
		},
	}
}

func (o *deadSettings) printLetter(l *api.DeadLetter) error {
	if o.output == outputJSON {
		return writeLine(o.stdout, l)
	}
	return o.printFields([]field{
		{"job", l.Job}, {"unit", fmt.Sprint(l.Unit)}, {"function", l.Function}, {"queue", l.Queue}, {"tenant", l.Tenant},
		{"attempts", fmt.Sprint(l.Attempts)}, {"worker", l.Worker},
		{"given up", l.Time.Format(time.RFC3339) + ", " + age(&l.Time, time.Now()) + " ago"}, {"error", l.Error},
	})
}

func (o *deadSettings) requeueCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "requeue JOB:UNIT...",
		Short: "Submit the calculation of dead letters again",
		Long: `Submit the calculation of a letter's job again, as a job of its own whose id is
printed, and let go of the letter.`,
		Example:           "  polymath dead requeue j00041a:7",
		ValidArgsFunction: o.completer(known),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := letters(cmd, args, maxArguments)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), func(c *client.Client) error {
				return each(o.settings, all, func(l letter) error {
					id, err := c.Requeue(cmd.Context(), l.job, l.unit)
					switch {
					case err != nil:
						return err
					case o.output == outputJSON:
						return writeLine(o.stdout, submitted{Job: id.String()})
					}
					_, err = fmt.Fprintln(o.stdout, id)
					return err
				})
			})
		},
	}
}

func (o *deadSettings) purgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge [JOB:UNIT...]",
		Short: "Let go of dead letters",
		Example: `  polymath dead purge j00041a:7
  polymath dead purge --queue default`,
		ValidArgsFunction: o.completer(known),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if o.purgeQueue != "" && len(args) == 0 {
				return o.ask(ctx, func(c *client.Client) error { return o.purgeAll(ctx, c) })
			}
			if o.purgeQueue != "" {
				return polymath.Errorf(polymath.InvalidArgument, "give either dead letters or --queue, not both")
			}
			all, err := letters(cmd, args, maxArguments)
			if err != nil {
				return err
			}
			return o.ask(ctx, func(c *client.Client) error {
				return each(o.settings, all, func(l letter) error { return c.Purge(ctx, l.job, l.unit) })
			})
		},
	}
	cmd.Flags().StringVar(&o.purgeQueue, "queue", "", "all those of the queue of this `name`")
	cmd.Flags().StringVar(&o.tenant, "tenant", "default", "the `tenant` the queue belongs to")
	completeFrom(cmd, "queue", o.completer(queues))
	return cmd
}

// purgeAll lets go of the letters of a queue and says how many those were: they
// are counted before, so that one which dies meanwhile is not among them.
func (o *deadSettings) purgeAll(ctx context.Context, c *client.Client) error {
	purged := 0
	for _, err := range c.DeadLetters(ctx, client.LetterFilter{Tenant: o.tenant, Queue: o.purgeQueue, Page: api.MaxPage}) {
		if err != nil {
			return err
		}
		purged++
	}
	if err := c.PurgeQueue(ctx, o.tenant, o.purgeQueue); err != nil {
		return err
	}
	if o.output == outputJSON {
		return writeLine(o.stdout, struct {
			Tenant string `json:"tenant"`
			Queue  string `json:"queue"`
			Purged int    `json:"purged"`
		}{o.tenant, o.purgeQueue, purged})
	}
	letters := "dead letters"
	if purged == 1 {
		letters = "dead letter"
	}
	_, err := fmt.Fprintf(o.stdout, "purged %d %s of the queue %s\n", purged, letters, printable(o.purgeQueue))
	return err
}
