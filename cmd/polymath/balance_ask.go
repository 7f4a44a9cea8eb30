package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/pick"
)

// defaultAdmin is where a balancer on this machine is asked.
const defaultAdmin = "http://127.0.0.1:8081"

// balancer are the flags of commands that ask a balancer.
type balancer struct {
	*settings
	admin string // its URL
}

// balanceAsk are the commands that ask a balancer which is running.
func balanceAsk(s *settings) []*cobra.Command {
	o := &balancer{settings: s}
	return []*cobra.Command{
		o.listCommand(), o.addCommand(), o.removeCommand(), o.drainCommand(), o.resumeCommand(), o.weightCommand(),
		o.statsCommand(), o.reloadCommand(),
	}
}

// command makes one of them, for from least to most arguments, which words call.
func (o *balancer) command(use, short string, counts [2]int, do func(*cobra.Command, *admin.Client, []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		ValidArgsFunction: o.complete(counts[1]),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < counts[0] || len(args) > counts[1] {
				return polymath.Errorf(polymath.InvalidArgument, "usage: polymath balance %s, not %d arguments; 'polymath balance list' shows the upstreams", cmd.Use, len(args))
			}
			c, err := o.dial()
			if err != nil {
				return err
			}
			return do(cmd, c, args)
		},
	}
	cmd.Flags().StringVar(&o.admin, "admin", defaultAdmin, "the `URL` of the balancer's admin API")
	return cmd
}

// dial takes an address for a URL, too.
func (o *balancer) dial() (*admin.Client, error) {
	if !strings.Contains(o.admin, "://") {
		return admin.Dial("http://" + o.admin)
	}
	return admin.Dial(o.admin)
}

// complete offers the names of upstreams for the first arguments.
func (o *balancer) complete(most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if most == 0 || len(args) > 0 && most < manyNames || o.configure(cmd) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if c, err := o.dial(); err == nil {
			if list, err := c.List(cmd.Context()); err == nil {
				for i := range list.Items {
					names = append(names, cobra.CompletionWithDesc(list.Items[i].Name, list.Items[i].State))
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// manyNames is how many upstreams one command takes.
const manyNames = 1000

func (o *balancer) listCommand() *cobra.Command {
	return o.command("list", "List the upstreams and what they do", [2]int{}, func(cmd *cobra.Command, c *admin.Client, _ []string) error {
		list, err := c.List(cmd.Context())
		if err != nil {
			return err
		}
		return o.print(list.Items...)
	})
}

func (o *balancer) addCommand() *cobra.Command {
	var u admin.NewUpstream
	var weight int
	cmd := o.command("add URL", "Add an upstream, or configure it anew", [2]int{1, 1}, func(cmd *cobra.Command, c *admin.Client, args []string) error {
		if u.URL = args[0]; cmd.Flags().Changed("weight") {
			u.Weight = &weight
		}
		added, err := c.Add(cmd.Context(), u)
		if err != nil {
			return err
		}
		return o.print(added)
	})
	cmd.Example = "  polymath balance add http://10.0.0.3:8080 --weight 2"
	flags := cmd.Flags()
	flags.IntVar(&weight, "weight", 0, "its share beside the others, 1 to 1000 (default 1)")
	flags.StringVar(&u.Host, "host", "", "the `name` that is sent as Host in place of the client's")
	flags.BoolVar(&u.HTTP2, "http2", false, "speak HTTP/2 with it")
	flags.StringVar(&u.ProxyProtocol, "proxy-protocol", "", "begin each connection with the PROXY protocol of this `version`, v1 or v2")
	complete(cmd, "proxy-protocol", "v1", "v2")
	annotate(flags, typedOnly, "weight", "host", "http2", "proxy-protocol")
	return cmd
}

func (o *balancer) removeCommand() *cobra.Command {
	return o.command("remove URL...", "Remove upstreams; what they are answering is answered", [2]int{1, manyNames}, func(cmd *cobra.Command, c *admin.Client, args []string) error {
		for _, name := range args {
			if err := c.Remove(cmd.Context(), name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *balancer) drainCommand() *cobra.Command {
	var wait time.Duration
	cmd := o.command("drain URL", "Give an upstream no new requests", [2]int{1, 1}, func(cmd *cobra.Command, c *admin.Client, args []string) error {
		if wait < 0 || wait > admin.MaxWait {
			return polymath.Errorf(polymath.InvalidArgument, "--wait is %v: it must be from 0 to %v", wait, admin.MaxWait)
		}
		u, err := c.Change(cmd.Context(), args[0], admin.Patch{Drain: new(true)}, wait)
		if err != nil {
			return err
		}
		if err := o.print(u); err != nil {
			return err
		}
		if wait > 0 && u.InFlight > 0 {
			return polymath.Errorf(polymath.Timeout, "%s is draining and has %d requests under way after %v", u.Name, u.InFlight, wait)
		}
		return nil
	})
	cmd.Example = "  polymath balance drain http://10.0.0.1:8080 --wait 30s && systemctl restart app"
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait until it has answered everything, for so long at most")
	annotate(cmd.Flags(), typedOnly, "wait")
	return cmd
}

func (o *balancer) resumeCommand() *cobra.Command {
	return o.command("resume URL", "Give an upstream requests again that was draining", [2]int{1, 1}, func(cmd *cobra.Command, c *admin.Client, args []string) error {
		u, err := c.Change(cmd.Context(), args[0], admin.Patch{Drain: new(false)}, 0)
		if err != nil {
			return err
		}
		return o.print(u)
	})
}

func (o *balancer) weightCommand() *cobra.Command {
	cmd := o.command("weight URL N", "Change the share of an upstream", [2]int{2, 2}, func(cmd *cobra.Command, c *admin.Client, args []string) error {
		weight, err := strconv.Atoi(args[1])
		switch {
		case errors.Is(err, strconv.ErrRange):
			return polymath.Errorf(polymath.InvalidArgument, "the weight %.20s is out of range: it must be from 0 to %d", args[1], pick.MaxWeight)
		case err != nil:
			return polymath.Errorf(polymath.InvalidArgument, "the weight %.20q is no whole number", args[1])
		}
		u, err := c.Change(cmd.Context(), args[0], admin.Patch{Weight: &weight}, 0)
		if err != nil {
			return err
		}
		return o.print(u)
	})
	cmd.Example = "  polymath balance weight http://10.0.0.1:8080 5"
	return cmd
}

func (o *balancer) statsCommand() *cobra.Command {
	return o.command("stats", "Show what the balancer does", [2]int{}, func(cmd *cobra.Command, c *admin.Client, _ []string) error {
		s, err := c.Stats(cmd.Context())
		if err != nil {
			return err
		}
		if o.output == outputJSON {
			return writeLine(o.stdout, s)
		}
		for _, line := range []struct {
			name  string
			value any
		}{
			{"requests", s.Requests}, {"requests a second", fmt.Sprintf("%.1f", s.Rate)}, {"in flight", s.InFlight},
			{"upstreams", fmt.Sprintf("%d of %d take requests", s.Available, s.Upstreams)},
			{"retries", fmt.Sprintf("%d, and %d refused by the budget", s.Retries, s.RetriesRefused)},
			{"hedges", fmt.Sprintf("%d, and %d refused by the budget", s.Hedges, s.HedgesRefused)},
			{"rate limited", s.RateLimited}, {"overloaded", s.Overloaded}, {"nobody left", s.Nobody},
			{"2xx", s.Answers["2xx"]}, {"3xx", s.Answers["3xx"]}, {"4xx", s.Answers["4xx"]}, {"5xx", s.Answers["5xx"]},
			{"no answer", s.Answers["none"]},
			{"configured", s.Configured.Format(time.RFC3339)},
			{"reloads", fmt.Sprintf("%d, and %d of them wrong", s.Reloads, s.ReloadsFailed)},
			{"leaving", s.Leaving},
		} {
			if _, err := fmt.Fprintf(o.stdout, "%-18s %v\n", line.name, line.value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *balancer) reloadCommand() *cobra.Command {
	return o.command("reload", "Have the configuration read again", [2]int{}, func(cmd *cobra.Command, c *admin.Client, _ []string) error {
		r, err := c.Reload(cmd.Context())
		if err != nil {
			return err
		}
		if o.output == outputJSON {
			return writeLine(o.stdout, r)
		}
		changed := false
		for _, list := range []struct {
			what  string
			names []string
		}{
			{"added", r.Added}, {"removed", r.Removed}, {"tuned", r.Tuned}, {"changed", r.Fields},
		} {
			if len(list.names) > 0 {
				changed = true
				if _, err := fmt.Fprintf(o.stdout, "%s: %s\n", list.what, strings.Join(list.names, ", ")); err != nil {
					return err
				}
			}
		}
		if !changed {
			_, err = fmt.Fprintln(o.stdout, "nothing has changed")
		}
		return err
	})
}

// print shows upstreams.
func (o *balancer) print(list ...admin.Upstream) error {
	table := grid{settings: o.settings, heading: "UPSTREAM\tSTATE\tWEIGHT\tFLYING\tREQ/S\tERR/S\tP50 MS\tP99 MS\tREQUESTS\tWHY"}
	for i := range list {
		u := &list[i]
		if o.output == outputJSON {
			if err := writeLine(o.stdout, u); err != nil {
				return err
			}
			continue
		}
		state, why := u.State, u.Why
		if u.Breaker != "closed" {
			state += ", " + u.Breaker
		}
		if why == "" {
			why = "-"
		}
		table.row(u.Name, state, u.Weight, u.InFlight, rate(u.Rate), rate(u.ErrorRate), latency(u.P50), latency(u.P99), u.Requests, why)
	}
	err := table.flush()
	table.none("upstreams: 'polymath balance add URL' adds one")
	return err
}

func rate(perSecond float64) string { return fmt.Sprintf("%.1f", perSecond) }

func latency(millis float64) string {
	if millis == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", millis)
}
