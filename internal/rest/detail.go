package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

// detailOperations tell more of one job.
func (f *face) detailOperations() {
	tag := []string{"jobs"}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}/result", Summary: "Read a result", Tags: tag,
		Description: "The answer of a job that succeeded; a list in pages. 409 for a job that is not finished, failed or was cancelled; Prefer: wait=N waits for its end first.",
	}, nil, f.readResult)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}/tasks", Summary: "List the tasks of a job", Tags: tag,
	}, nil, func(ctx context.Context, in *JobPath) (*output[api.TaskList], error) {
		id, err := in.job()
		if err != nil {
			return nil, err
		}
		list, err := f.backend.Tasks(ctx, id)
		return &output[api.TaskList]{list}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}/why", Summary: "Ask why a job waits", Tags: tag,
	}, nil, f.why)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}/bar", Summary: "Draw the input of a job", Tags: tag,
	}, nil, func(ctx context.Context, in *JobPath) (*output[api.Bar], error) {
		id, err := in.job()
		if err != nil {
			return nil, err
		}
		bar, err := f.backend.Bar(ctx, id, api.BarBuckets)
		return &output[api.Bar]{bar}, err
	})
}

func (f *face) why(ctx context.Context, in *JobPath) (*output[api.Why], error) {
	id, err := in.job()
	if err != nil {
		return nil, err
	}
	job, err := f.backend.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	text, err := f.backend.Why(ctx, id)
	return &output[api.Why]{api.Why{ID: job.ID, State: job.State, Why: text}}, err
}

type resultInput struct {
	JobPath
	Paging
	Prefer string `header:"Prefer" maxLength:"256" doc:"wait=N waits up to N seconds, at most 60, for the job to finish." example:"wait=10"`
}

func (f *face) readResult(ctx context.Context, in *resultInput) (*output[api.Result], error) {
	id, err := in.job()
	if err != nil {
		return nil, err
	}
	job, _, err := f.readPatiently(ctx, id, in.Prefer)
	if err != nil {
		return nil, err
	}
	if err := noResult(&job); err != nil {
		return nil, err
	}
	job, answer, err := f.backend.Answer(ctx, id)
	if err != nil {
		return nil, err
	}
	result := api.Result{ID: job.ID, Function: job.Function, Dead: job.Dead}
	if err := resultPage(&result, answer, in.Cursor, in.Limit); err != nil {
		return nil, err
	}
	return &output[api.Result]{result}, nil
}

// noResult is why a job has no result.
func noResult(job *api.Job) error {
	switch {
	case !job.Final():
		return polymath.Errorf(polymath.Conflict, "job %s is %s and has no result yet: %d of %d units are done; send Prefer: wait=60 to wait for it",
			job.ID, job.State, job.Done, job.Units)
	case job.State != polymath.Succeeded.String():
		why := ""
		if job.Error != nil {
			why = ": " + job.Error.Detail
		}
		return polymath.Errorf(polymath.Conflict, "job %s %s and has no result%s", job.ID, job.State, why)
	default:
		return nil
	}
}

// resultPage puts the answer, or its page if it is a list, into a result.
func resultPage(r *api.Result, answer json.RawMessage, cursor string, limit int) error {
	if start := bytes.TrimLeft(answer, " \t\r\n"); len(start) == 0 || start[0] != '[' {
		if cursor != "" {
			return badCursor(cursor)
		}
		r.Result = answer
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(answer, &items); err != nil {
		return polymath.Errorf(polymath.Internal, "the answer of %s is no list: %w", r.ID, err)
	}
	from := 0
	if cursor != "" {
		var err error
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 || from > len(items) || strconv.Itoa(from) != cursor {
			return badCursor(cursor)
		}
	}
	to := min(from+limit, len(items))
	total := api.Count(len(items))
	r.Items, r.Total = items[from:to], &total
	if to < len(items) {
		r.Next = strconv.Itoa(to)
	}
	return nil
}
