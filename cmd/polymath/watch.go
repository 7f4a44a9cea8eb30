package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// Bounds of what is watched at a time.
const (
	maxWatched = 100 // jobs: each has a stream
	maxDrawn   = 15  // lines of progress
)

// watchSettings are the flags of watch.
type watchSettings struct {
	remote
	after string
}

// watchCommand follows jobs, or everything.
func watchCommand(s *settings) *cobra.Command {
	o := &watchSettings{remote: remote{settings: s}}
	cmd := &cobra.Command{
		Use:   "watch [ID...]",
		Short: "Follow jobs until they are finished, or everything that happens",
		Long: `Follow jobs of a server, with their progress on a terminal, until they are
finished. One job ends with its answer, as 'polymath run' prints it; of several
each prints a line when it ends. Ctrl-C lets go of them: they go on.

Without an id everything that happens on the server is printed, one event a
line, until Ctrl-C. With --output json the lines are CloudEvents, and the id of
the last one is where --after goes on.`,
		Example: `  polymath watch j00041a
  polymath watch
  polymath watch --output json --after 0:1.42:0`,
		ValidArgsFunction: o.completer(jobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := jobIDs(cmd, args, 0, maxWatched)
			if err != nil {
				return err
			}
			if o.after != "" && len(ids) > 0 {
				return polymath.Errorf(polymath.InvalidArgument, "--after is for the events of the whole server: give it without ids")
			}
			ctx := cmd.Context()
			return o.ask(ctx, func(c *client.Client) error {
				switch len(ids) {
				case 0:
					return o.events(ctx, c)
				case 1:
					return o.one(ctx, c, ids[0])
				default:
					return o.several(ctx, c, ids)
				}
			})
		},
	}
	o.flag(cmd.Flags(), defaultServer)
	cmd.Flags().StringVar(&o.after, "after", "", "the `id` of the event to go on after, also after a restart (default: now)")
	return cmd
}

// one follows a job and prints its answer.
func (o *watchSettings) one(ctx context.Context, c *client.Client, id polymath.JobID) error {
	job, err := o.await(ctx, c, id, &screen{out: o.stderr, width: o.width()})
	if err != nil {
		return err
	}
	return o.printResult(resultOf(&job))
}

// events prints everything that happens.
func (o *watchSettings) events(ctx context.Context, c *client.Client) error {
	for e, err := range c.Events(ctx, o.after) {
		switch {
		case ctx.Err() != nil:
			return polymath.Errorf(polymath.Interrupted, "interrupted")
		case err != nil:
			return err
		case e.Gap:
			_, _ = fmt.Fprintln(o.stderr, "polymath: events are missing before these: they are kept for a day, and only those of this server")
		case e.Happened != nil:
			if err := o.event(e.Happened); err != nil {
				return err
			}
		}
	}
	return nil
}

// event prints one event on a line.
func (o *watchSettings) event(e *api.Event) error {
	if o.output == outputJSON {
		return writeLine(o.stdout, e)
	}
	at := "-"
	if e.Time != nil {
		at = e.Time.Format(time.RFC3339)
	}
	what := strings.TrimSuffix(strings.TrimPrefix(e.Type, "run.polymath."), ".v1")
	whom := e.Data.Worker
	if e.Subject != "" {
		whom = e.Subject + " " + e.Data.Function
	}
	_, err := fmt.Fprintf(o.stdout, "%s  %-13s  %s\n", at, printable(what), printable(whom))
	return err
}

// end is how a job ended, or why that is not known.
type end struct {
	job *tracked
	got api.Job
	err error
}

// several follows jobs and prints a line for each that ends.
func (o *watchSettings) several(ctx context.Context, c *client.Client, ids []polymath.JobID) error {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer stop()
	ends := make(chan end, len(ids))
	open := make([]*tracked, len(ids))
	for i, id := range ids {
		t := &tracked{id: id}
		open[i] = t
		following.Go(func() {
			job, err := t.follow(ctx, c)
			ends <- end{t, job, err}
		})
	}
	w := wall{screen: &screen{out: o.stderr, width: o.width()}, begun: time.Now(), open: open, paces: make(map[*tracked]*pace)}
	redraw := time.NewTicker(drawPause)
	defer redraw.Stop()
	var first error
	for len(w.open) > 0 {
		select {
		case <-redraw.C:
			w.draw()
		case e := <-ends:
			w.remove(e.job)
			err := o.ended(ctx, &w, &e)
			if first == nil {
				first = err
			}
			if polymath.CodeOf(err) == polymath.Interrupted {
				w.screen.leave()
				return o.detachedAll(e.job, w.open)
			}
		}
	}
	return first
}

// detachedAll says how to come back to several jobs that were let go of.
func (o *watchSettings) detachedAll(first *tracked, others []*tracked) error {
	names := []string{first.id.String()}
	for _, t := range others {
		names = append(names, t.id.String())
	}
	ids := strings.Join(names, " ")
	back := "polymath watch " + ids
	if o.server != defaultServer {
		back += " --server " + o.server
	}
	they := "which goes on"
	if len(names) > 1 {
		they = "which go on"
	}
	return polymath.Errorf(polymath.Interrupted, "detached from %s, %s: '%s' comes back", ids, they, back)
}

// ended prints the end of one of several jobs; the error is that of the job.
func (o *watchSettings) ended(ctx context.Context, w *wall, e *end) error {
	if e.err != nil {
		err := o.detached(ctx, e.job.id, e.err)
		if polymath.CodeOf(err) != polymath.Interrupted {
			_, _ = fmt.Fprintf(w.screen, "polymath: %v: %s\n", e.job.id, printableLines(err.Error()))
		}
		return err
	}
	w.screen.wipe()
	out := resultOf(&e.got)
	var err error
	if o.output == outputJSON {
		err = writeLine(o.stdout, out)
	} else {
		_, err = fmt.Fprintf(o.stdout, "%s %s %s\n", printable(out.Job), printable(out.Function), printable(out.State))
	}
	if err == nil && out.State != polymath.Succeeded.String() {
		err = out.failure()
	}
	return err
}

// wall is the progress of several jobs, one below the other.
type wall struct {
	screen *screen
	begun  time.Time
	open   []*tracked // those that have not ended
	paces  map[*tracked]*pace
}

func (w *wall) remove(job *tracked) {
	left := make([]*tracked, 0, len(w.open))
	for _, t := range w.open {
		if t != job {
			left = append(left, t)
		}
	}
	w.open = left
}

// draw draws the first lines, and how many there are more.
func (w *wall) draw() {
	if w.screen.width == 0 {
		return
	}
	var lines []string
	for i, t := range w.open {
		if i == maxDrawn {
			lines = append(lines, fmt.Sprintf("and %d more", len(w.open)-i))
			break
		}
		if w.paces[t] == nil {
			w.paces[t] = &pace{begun: w.begun}
		}
		if job, working, err := t.look(); err == nil {
			lines = append(lines, t.id.String()+" "+w.paces[t].line(&job, working, time.Now(), w.screen.width-len(t.id.String())-1))
		}
	}
	for i, line := range lines { // one that goes on below could not be wiped
		lines[i] = line[:min(len(line), max(w.screen.width-1, 0))]
	}
	if len(lines) > 0 {
		w.screen.draw(strings.Join(lines, "\n"))
	}
}
