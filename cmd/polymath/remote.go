package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// defaultServer is where a server on this machine answers.
const defaultServer = "http://127.0.0.1:8080"

// remote are the flags of commands that ask a server.
type remote struct {
	*settings
	server string // its URL
}

func (r *remote) flag(flags *pflag.FlagSet, server string) {
	flags.StringVar(&r.server, "server", server, "the `URL` of the server")
}

// dial connects to the server.
func (r *remote) dial(ctx context.Context) (*client.Client, error) {
	c, err := client.Dial(ctx, r.server, client.Options{})
	if ctx.Err() != nil {
		return nil, polymath.Errorf(polymath.Interrupted, "interrupted while connecting to %s", r.server)
	}
	if r.server == defaultServer && polymath.CodeOf(err) == polymath.Unavailable {
		return nil, polymath.Errorf(polymath.Unavailable, "%w; 'polymath up' starts one", err)
	}
	return c, err
}

// ask connects to the server for as long as use takes.
func (r *remote) ask(ctx context.Context, use func(*client.Client) error) error {
	c, err := r.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return use(c)
}

// submitLimit is how long a server may take to acknowledge what is asked of it
// in the stream, restarts of it included.
const submitLimit = 30 * time.Second

// submit hands requests in; ctx ends waiting for the acknowledgement.
func (r *remote) submit(ctx context.Context, c *client.Client, requests []client.Request) ([]client.Outcome, error) {
	patient, stop := context.WithTimeout(ctx, submitLimit)
	defer stop()
	outcomes, err := c.SubmitMany(patient, requests)
	switch {
	case err == nil:
		return outcomes, nil
	case ctx.Err() != nil:
		return nil, polymath.Errorf(polymath.Interrupted, "interrupted: what was submitted last may or may not have been taken; 'polymath jobs' tells")
	default:
		return nil, polymath.Errorf(polymath.Unavailable,
			"the server at %s did not acknowledge within %v: the job may or may not have been taken; 'polymath jobs' tells", r.server, submitLimit)
	}
}

// await follows a job to its end, draws its progress on a terminal, and
// returns it with its answer. When ctx ends first the error says how to come
// back.
func (r *remote) await(ctx context.Context, c *client.Client, id polymath.JobID, screen *screen) (api.Job, error) {
	t := &tracked{id: id}
	stop := screen.watch(t.look)
	job, err := t.follow(ctx, c)
	stop()
	return job, r.detached(ctx, id, err)
}

// detached says how to come back to a job that was let go of.
func (r *remote) detached(ctx context.Context, id polymath.JobID, err error) error {
	back := fmt.Sprintf("polymath watch %v", id)
	if r.server != defaultServer {
		back += " --server " + r.server
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return polymath.Errorf(polymath.Interrupted, "detached from %v, which goes on: '%s' comes back to it", id, back)
	case polymath.CodeOf(err) == polymath.Unavailable:
		return polymath.Errorf(polymath.Unavailable, "%w; %v goes on when the server is back: '%s' comes back to it", err, id, back)
	default:
		return err
	}
}

// runThere submits a job, waits for its end and prints its answer.
func (r *runSettings) runThere(ctx context.Context, request client.Request) error {
	return r.ask(ctx, func(c *client.Client) error {
		outcomes, err := r.submit(ctx, c, []client.Request{request})
		if err != nil {
			return err
		}
		if err := outcomes[0].Err; err != nil {
			return err
		}
		job, err := r.await(ctx, c, outcomes[0].Job, &screen{out: r.stderr, width: r.width()})
		if err != nil {
			return err
		}
		return r.printCertified(resultOf(&job))
	})
}

// completionLimit is how long somebody who typed a tab waits for a server.
const completionLimit = 300 * time.Millisecond

// completer completes arguments by what a server says; what it cannot say in
// time is not missed.
func (r *remote) completer(list func(context.Context, *client.Client) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var out []string
		if r.configure(cmd) == nil {
			ctx, stop := context.WithTimeout(cmd.Context(), completionLimit)
			defer stop()
			_ = r.ask(ctx, func(c *client.Client) error {
				out = list(ctx, c)
				return nil
			})
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completedJobs is how many jobs a completion offers.
const completedJobs = 50

// jobs lists ids of the jobs that were submitted last.
func jobs(ctx context.Context, c *client.Client) (ids []string) {
	page, err := c.JobPage(ctx, client.JobFilter{Page: completedJobs})
	if err != nil {
		return nil
	}
	for i := range page.Items {
		j := &page.Items[i]
		ids = append(ids, cobra.CompletionWithDesc(j.ID, j.Function+" "+j.State))
	}
	return ids
}

// queues lists the names of queues.
func queues(ctx context.Context, c *client.Client) (names []string) {
	list, err := c.Queues(ctx)
	if err != nil {
		return nil
	}
	for i := range list {
		names = append(names, list[i].Name)
	}
	return names
}

// functions lists the names of functions that only workers have.
func functions(ctx context.Context, c *client.Client) (names []string) {
	list, err := c.Functions(ctx)
	if err != nil {
		return nil
	}
	for i := range list {
		if list[i].Remote {
			names = append(names, cobra.CompletionWithDesc(list[i].Name, list[i].Summary))
		}
	}
	return names
}

// jobIDs reads the ids among the arguments; there must be from least to most.
func jobIDs(cmd *cobra.Command, args []string, least, most int) ([]polymath.JobID, error) {
	if len(args) < least || len(args) > most {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%s takes %s, not %d arguments; 'polymath jobs' lists them", cmd.Name(), many(least, most), len(args))
	}
	ids := make([]polymath.JobID, len(args))
	for i, text := range args {
		var err error
		if ids[i], err = polymath.ParseJobID(text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func many(least, most int) string {
	if least == most {
		return "one job id"
	}
	return fmt.Sprintf("%d to %d job ids", least, most)
}
