package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// LetterFilter chooses dead letters. Its zero fields choose all.
type LetterFilter struct {
	Tenant string
	Queue  string // the name of the queue, whatever the tenant
	Job    polymath.JobID
	// Page is how many letters are read at a time, at most api.MaxPage; 0 is
	// api.DefaultPage.
	Page int
	// After is the Next of a page, to go on with; "": from the first.
	After string
}

// DeadLetters reads dead letters, those of the newest job first, page by page
// as they are asked for. An error is the last thing it gives.
func (c *Client) DeadLetters(ctx context.Context, f LetterFilter) iter.Seq2[api.DeadLetter, error] {
	return paged(f.After, func(cursor string) ([]api.DeadLetter, string, error) {
		f.After = cursor
		list, err := c.DeadLetterPage(ctx, f)
		return list.Items, list.Next, err
	})
}

// DeadLetterPage reads one page of dead letters.
func (c *Client) DeadLetterPage(ctx context.Context, f LetterFilter) (list api.DeadLetterList, err error) {
	job := ""
	if !f.Job.IsZero() {
		job = f.Job.String()
	}
	query := given("tenant", f.Tenant, "queue", f.Queue, "job", job, "cursor", f.After, "limit", limit(f.Page))
	err = c.get(ctx, "/v1/dead-letters", query, &list)
	return list, err
}

// DeadLetter reads one dead letter: the unit of a job that could not be
// calculated.
func (c *Client) DeadLetter(ctx context.Context, job polymath.JobID, unit uint64) (letter api.DeadLetter, err error) {
	err = c.get(ctx, letterPath(job, unit), nil, &letter)
	return letter, err
}

// Requeue submits the calculation of a dead letter's job again, as a job of
// its own, and lets go of the letter.
func (c *Client) Requeue(ctx context.Context, job polymath.JobID, unit uint64) (polymath.JobID, error) {
	var submitted api.Submitted
	if err := c.call(ctx, http.MethodPost, letterPath(job, unit)+"/requeue", nil, &submitted); err != nil {
		return polymath.JobID{}, err
	}
	return polymath.ParseJobID(submitted.ID)
}

// Purge lets go of a dead letter.
func (c *Client) Purge(ctx context.Context, job polymath.JobID, unit uint64) error {
	return c.call(ctx, http.MethodDelete, letterPath(job, unit), nil, nil)
}

// PurgeQueue lets go of all dead letters of a queue; tenant "" is the
// Client's.
func (c *Client) PurgeQueue(ctx context.Context, tenant, queue string) error {
	query := given("tenant", c.whose(tenant), "queue", queue)
	return c.call(ctx, http.MethodDelete, "/v1/dead-letters?"+query.Encode(), nil, nil)
}

func letterPath(job polymath.JobID, unit uint64) string {
	return fmt.Sprintf("/v1/dead-letters/%v/%d", job, unit)
}

// whose is the tenant that is meant where one is named, or none.
func (c *Client) whose(tenant string) string {
	switch {
	case tenant != "":
		return tenant
	case c.tenant != "":
		return c.tenant
	default:
		return "default"
	}
}
