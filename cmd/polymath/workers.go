package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// workersCommand lists workers.
func workersCommand(s *settings) *cobra.Command {
	o := &remote{settings: s}
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "List the workers of a server",
		Long: `List the workers of a server: what each calls itself, how many parts of jobs it
has, how long it was not heard of, and what it offers. One whose connection broke,
or that was here before the server was started again, is rejoining: within seconds
it is back, or gone.`,
		Example:           "  polymath workers",
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.ask(cmd.Context(), func(c *client.Client) error {
				list, err := c.Workers(cmd.Context())
				if err != nil {
					return err
				}
				table := grid{settings: s, heading: "WORKER\tID\tLEASES\tSILENT\tFUNCTIONS"}
				for i := range list {
					w := &list[i]
					if s.output == outputJSON {
						if err := writeLine(s.stdout, w); err != nil {
							return err
						}
						continue
					}
					table.row(w.Name, w.ID, len(w.Leases), silence(w), strings.Join(w.Functions, " "))
				}
				err = table.flush()
				table.none("workers: 'polymath worker --server " + o.server + "' is one")
				return err
			})
		},
	}
	o.flag(cmd.Flags(), defaultServer)
	return cmd
}

// silence is how long a worker was not heard of, or that it is on its way back.
func silence(w *api.Worker) string {
	if w.Rejoining {
		return "rejoining"
	}
	return fmt.Sprintf("%.1fs", w.Silent)
}
