package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/client"
)

// jobCommand tells everything about one job.
func jobCommand(s *settings) *cobra.Command {
	o := &remote{settings: s}
	answer := false
	cmd := &cobra.Command{
		Use:   "job ID",
		Short: "Show a job: where it stands, why it waits, its answer",
		Example: `  polymath job j00041a
  polymath job j00041a --result
  polymath job j00041a --output json`,
		ValidArgsFunction: o.completer(jobs),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := jobIDs(cmd, args, 1, 1)
			if err != nil {
				return err
			}
			return o.ask(cmd.Context(), func(c *client.Client) error {
				if answer {
					return o.printAnswerOf(cmd.Context(), c, ids[0])
				}
				return o.printJob(cmd.Context(), c, ids[0])
			})
		},
	}
	o.flag(cmd.Flags(), defaultServer)
	cmd.Flags().BoolVar(&answer, "result", false, "print only the answer, whole")
	return cmd
}

// printAnswerOf prints the answer of a job.
func (o *remote) printAnswerOf(ctx context.Context, c *client.Client, id polymath.JobID) error {
	job, err := c.Detail(ctx, id)
	if err != nil {
		return err
	}
	if !job.Final() {
		return polymath.Errorf(polymath.Conflict, "%s is %s and has no result yet: %d of %d units are done; 'polymath watch %s' waits for it",
			job.ID, job.State, job.Done, job.Units, job.ID)
	}
	if job.Result == nil && job.State == polymath.Succeeded.String() {
		if job.Result, err = c.Answer(ctx, id); err != nil {
			return err
		}
	}
	return o.printResult(resultOf(&job))
}

// detailed is a job as --output json prints it.
type detailed struct {
	api.Job
	Tasks []api.Task `json:"tasks,omitempty"`
}

func (o *remote) printJob(ctx context.Context, c *client.Client, id polymath.JobID) error {
	job, err := c.Detail(ctx, id)
	if err != nil {
		return err
	}
	out := detailed{Job: job}
	if !job.Final() {
		if out.Tasks, err = c.Tasks(ctx, id); err != nil {
			return err
		}
	}
	if o.output == outputJSON {
		return writeLine(o.stdout, out)
	}
	if err := o.printFields(jobFields(&job, time.Now())); err != nil || len(out.Tasks) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(o.stdout)
	table := grid{settings: o.settings, heading: "TASK\tUNITS\tATTEMPT\tWORKER\tDONE\tSINCE\tNOTE"}
	for i := range out.Tasks[:min(len(out.Tasks), maxTasks)] {
		t := &out.Tasks[i]
		table.row(t.State, fmt.Sprintf("%d-%d", t.From, t.To-1), t.Attempt, t.Worker, t.Done, fmt.Sprintf("%.1fs", t.Seconds), note(t))
	}
	if err := table.flush(); err != nil || len(out.Tasks) <= maxTasks {
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "and %d more: --output json lists them\n", len(out.Tasks)-maxTasks)
	return err
}

// maxTasks is how many tasks are shown to people.
const maxTasks = 20

// note is what is unusual about a task.
func note(t *api.Task) string {
	var notes []string
	if t.Speculative {
		notes = append(notes, "second copy")
	}
	if t.Slow {
		notes = append(notes, "slow")
	}
	if t.Due != nil {
		notes = append(notes, "again at "+t.Due.Format(time.RFC3339))
	}
	if t.Error != "" {
		notes = append(notes, t.Error)
	}
	return strings.Join(notes, ", ")
}

// field is a line of a description.
type field struct{ name, value string }

// jobFields are the lines about a job, without those that say nothing.
func jobFields(j *api.Job, now time.Time) []field {
	moment := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339) + ", " + age(t, now) + " ago"
	}
	ahead := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	fields := []field{
		{"id", j.ID}, {"function", j.Function}, {"input", string(j.Input)}, {"state", j.State},
		{"progress", fmt.Sprintf("%s, %d of %d units", progress(j), j.Done, j.Units)},
		{"queue", j.Queue}, {"tenant", j.Tenant}, {"priority", fmt.Sprint(j.Priority)},
		{"not before", ahead(j.NotBefore)}, {"deadline", ahead(j.Deadline)},
		{"submitted", moment(j.Submitted)}, {"started", moment(j.Started)}, {"finished", moment(j.Finished)},
		{"why", j.Why},
	}
	if j.Dead > 0 {
		fields = append(fields, field{"dead letters", fmt.Sprint(j.Dead)})
	}
	if j.Error != nil {
		fields = append(fields, field{"error", j.Error.Detail})
	}
	if j.Result != nil {
		fields = append(fields, field{"result", plain(j.Result)})
	} else if j.State == polymath.Succeeded.String() && j.Error == nil {
		fields = append(fields, field{"result", "too long to show here: --result prints it"})
	}
	return fields
}

// printFields prints a description, one field a line.
func (s *settings) printFields(fields []field) error {
	t := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\n", printable(f.name), printable(f.value)); err != nil {
			return err
		}
	}
	return t.Flush()
}
