package main

import (
	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// queueSettings are the flags of queues.
type queueSettings struct {
	remote
	tenant              string
	weight, concurrency uint32
}

// queuesCommand lists queues, and has commands that change one.
func queuesCommand(s *settings) *cobra.Command {
	o := &queueSettings{remote: remote{settings: s}}
	cmd := &cobra.Command{
		Use:   "queues",
		Short: "List queues; pause, resume and set them",
		Long: `List the queues of a server. A queue exists while it has jobs or settings; workers
are shared among queues by their weights.`,
		Example: `  polymath queues
  polymath queues pause night
  polymath queues set night --weight 2 --concurrency 4`,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.ask(cmd.Context(), func(c *client.Client) error {
				list, err := c.Queues(cmd.Context())
				if err != nil {
					return err
				}
				return o.print(list...)
			})
		},
	}
	o.flag(cmd.PersistentFlags(), defaultServer)
	cmd.AddCommand(
		o.change("pause NAME", "Grant no new work from a queue", func(*cobra.Command) (api.QueuePatch, error) {
			return api.QueuePatch{Paused: new(true)}, nil
		}),
		o.change("resume NAME", "Grant work from a queue again", func(*cobra.Command) (api.QueuePatch, error) {
			return api.QueuePatch{Paused: new(false)}, nil
		}),
		o.setCommand())
	return cmd
}

func (o *queueSettings) setCommand() *cobra.Command {
	cmd := o.change("set NAME", "Set the weight and the concurrency of a queue", func(cmd *cobra.Command) (p api.QueuePatch, err error) {
		if cmd.Flags().Changed("weight") {
			p.Weight = &o.weight
		}
		if cmd.Flags().Changed("concurrency") {
			p.Concurrency = &o.concurrency
		}
		if p == (api.QueuePatch{}) {
			err = polymath.Errorf(polymath.InvalidArgument, "set what? give --weight, --concurrency or both")
		}
		return p, err
	})
	cmd.Example = "  polymath queues set night --weight 2 --concurrency 4"
	cmd.Flags().Uint32Var(&o.weight, "weight", 0, "its share of the workers beside the other queues, 1 to 1000")
	cmd.Flags().Uint32Var(&o.concurrency, "concurrency", 0, "how many parts of its jobs are worked on at a time; 0: no limit")
	return cmd
}

// change is a command that changes a queue and prints it as it is then.
func (o *queueSettings) change(use, short string, patch func(*cobra.Command) (api.QueuePatch, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		ValidArgsFunction: o.completer(queues),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return polymath.Errorf(polymath.InvalidArgument, "%s takes the name of one queue, not %d arguments", cmd.Name(), len(args))
			}
			if err := polymath.CheckName("queue", args[0]); err != nil {
				return err
			}
			p, err := patch(cmd)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), func(c *client.Client) error {
				queue, err := c.SetQueue(cmd.Context(), o.tenant, args[0], p)
				if err != nil {
					return err
				}
				return o.print(queue)
			})
		},
	}
	cmd.Flags().StringVar(&o.tenant, "tenant", "default", "the `tenant` the queue belongs to")
	return cmd
}

func (o *queueSettings) print(list ...api.Queue) error {
	table := grid{settings: o.settings, heading: "QUEUE\tTENANT\tSTATE\tWEIGHT\tCONCURRENCY\tJOBS\tWAITING\tLEASED\tDEAD"}
	for i := range list {
		q := &list[i]
		if o.output == outputJSON {
			if err := writeLine(o.stdout, q); err != nil {
				return err
			}
			continue
		}
		state, concurrency := "open", any(q.Concurrency)
		if q.Paused {
			state = "paused"
		}
		if q.Concurrency == 0 {
			concurrency = "-"
		}
		table.row(q.Name, q.Tenant, state, q.Weight, concurrency, q.Jobs, q.Waiting, q.Leased, q.Dead)
	}
	err := table.flush()
	table.none("queues: one exists while it has jobs or settings")
	return err
}
