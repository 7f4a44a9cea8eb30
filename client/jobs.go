package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// JobFilter chooses jobs. Its zero fields choose all.
type JobFilter struct {
	Tenant   string
	Function string
	Queue    string         // the name of the queue, whatever the tenant
	State    polymath.State // 0: all
	// Page is how many jobs are read at a time, at most api.MaxPage; 0 is
	// api.DefaultPage.
	Page int
	// After is the Next of a page, to go on with; "": from the newest job.
	After string
}

// Jobs reads jobs, those submitted last first, page by page as they are asked
// for. They are without results. An error is the last thing it gives.
func (c *Client) Jobs(ctx context.Context, f JobFilter) iter.Seq2[api.Job, error] {
	return paged(f.After, func(cursor string) ([]api.Job, string, error) {
		f.After = cursor
		list, err := c.JobPage(ctx, f)
		return list.Items, list.Next, err
	})
}

// JobPage reads one page of jobs. A page may be short, or empty, and still
// have a next one.
func (c *Client) JobPage(ctx context.Context, f JobFilter) (list api.JobList, err error) {
	state := ""
	if f.State != 0 {
		state = f.State.String()
	}
	query := given("tenant", f.Tenant, "function", f.Function, "queue", f.Queue, "state", state, "cursor", f.After, "limit", limit(f.Page))
	err = c.get(ctx, "/v1/jobs", query, &list)
	return list, err
}

// Detail reads a job with everything that is said about it: its options, its
// answer if that has at most 64 KiB, and why it is not finished.
func (c *Client) Detail(ctx context.Context, id polymath.JobID) (job api.Job, err error) {
	err = c.get(ctx, jobPath(id), given("why", "true"), &job)
	return job, err
}

// Answer reads the whole answer of a job that succeeded, however long: one
// JSON value. A job that has none is a Conflict.
func (c *Client) Answer(ctx context.Context, id polymath.JobID) (json.RawMessage, error) {
	var items []json.RawMessage
	for cursor := ""; ; {
		var page api.Result
		if err := c.get(ctx, jobPath(id)+"/result", given("limit", limit(api.MaxPage), "cursor", cursor), &page); err != nil {
			return nil, err
		}
		if page.Total == nil {
			return page.Result, nil
		}
		items = append(items, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if items == nil {
		items = []json.RawMessage{}
	}
	text, err := json.Marshal(items)
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "the answer of %v is no JSON: %w", id, err)
	}
	return text, nil
}

// Tasks reads what of a job is out with workers or waits to be tried again, at
// most 1,000 of each.
func (c *Client) Tasks(ctx context.Context, id polymath.JobID) ([]api.Task, error) {
	var list api.TaskList
	err := c.get(ctx, jobPath(id)+"/tasks", nil, &list)
	return list.Items, err
}

func jobPath(id polymath.JobID) string { return "/v1/jobs/" + id.String() }
