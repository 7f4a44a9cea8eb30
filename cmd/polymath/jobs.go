package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// paging are the flags of commands that list.
type paging struct {
	limit int
	all   bool
	after string
}

func (p *paging) flags(flags *pflag.FlagSet) {
	flags.IntVar(&p.limit, "limit", api.DefaultPage, "how many are listed, 1 to 1000")
	flags.BoolVar(&p.all, "all", false, "list all, however many")
	flags.StringVar(&p.after, "after", "", "the `cursor` to go on after")
}

func (p *paging) check(typed map[string]bool) error {
	if p.all && typed["limit"] {
		return polymath.Errorf(polymath.InvalidArgument, "give either --all or --limit, not both")
	}
	if p.limit < 1 || p.limit > api.MaxPage {
		return polymath.Errorf(polymath.InvalidArgument, "--limit is %d: it must be from 1 to %d; --all lists all", p.limit, api.MaxPage)
	}
	return nil
}

// jobsSettings are the flags of jobs.
type jobsSettings struct {
	remote
	paging
	filter client.JobFilter
	state  string
}

// jobsCommand lists jobs.
func jobsCommand(s *settings) *cobra.Command {
	o := &jobsSettings{remote: remote{settings: s}}
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the jobs of a server",
		Long:  "List the jobs of a server, those submitted last first.",
		Example: `  polymath jobs
  polymath jobs --state running
  polymath jobs --function primes --all --output json`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(o.typed); err != nil {
				return err
			}
			if o.state != "" {
				var err error
				if o.filter.State, err = polymath.ParseState(o.state); err != nil {
					return err
				}
			}
			return o.ask(cmd.Context(), func(c *client.Client) error { return o.list(cmd.Context(), c) })
		},
	}
	flags := cmd.Flags()
	o.flag(flags, defaultServer)
	o.flags(flags)
	flags.StringVar(&o.state, "state", "", "only those in this `state`: queued, running, succeeded, failed or cancelled")
	flags.StringVar(&o.filter.Function, "function", "", "only those of this `function`")
	flags.StringVar(&o.filter.Queue, "queue", "", "only those of queues of this `name`")
	flags.StringVar(&o.filter.Tenant, "tenant", "", "only those of this `tenant`")
	var states []string
	for _, state := range polymath.States() {
		states = append(states, state.String())
	}
	complete(cmd, "state", states...)
	completeFrom(cmd, "queue", o.completer(queues))
	return cmd
}

// list prints page after page.
func (o *jobsSettings) list(ctx context.Context, c *client.Client) error {
	table := grid{settings: o.settings, heading: "ID\tFUNCTION\tSTATE\tPROGRESS\tAGE\tQUEUE"}
	o.filter.After, o.filter.Page = o.after, o.limit
	if o.all {
		o.filter.Page = api.MaxPage
	}
	for {
		page, err := c.JobPage(ctx, o.filter)
		if err != nil {
			return err
		}
		now := time.Now()
		for i := range page.Items {
			j := &page.Items[i]
			if o.output == outputJSON {
				if err := writeLine(o.stdout, j); err != nil {
					return err
				}
				continue
			}
			table.row(j.ID, j.Function, j.State, progress(j), age(j.Submitted, now), j.Queue)
		}
		if err := table.flush(); err != nil {
			return err
		}
		o.filter.After = page.Next
		switch enough := len(page.Items) > 0; {
		case page.Next == "":
			table.none("such jobs")
			return nil
		case enough && !o.all:
			o.hint("there are more: --all lists them, --after %s goes on", page.Next)
			return nil
		}
	}
}
