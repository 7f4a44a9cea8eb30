package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// pollSeconds is when one who asked for a job should ask again.
const pollSeconds = "1"

// JobPath is the path of a job. It is exported, as are other parts of inputs,
// because huma fills exported fields only.
type JobPath struct {
	ID string `path:"id" maxLength:"64" doc:"The id of the job." example:"j00041a"`
}

func (i *JobPath) job() (polymath.JobID, error) { return polymath.ParseJobID(i.ID) }

// Freshness is how up to date a read must be.
type Freshness struct {
	Consistency string `query:"consistency" enum:"linearizable,causal,sequential,eventual" doc:"How fresh the answer must be. linearizable asks the journal for its end first and sees all that was acknowledged anywhere; the others read what this server has applied." example:"linearizable"`
}

// Paging is a place in a list.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"128" doc:"The next of the page before." example:"j00041a"`
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"How many items the page has at most." example:"100"`
}

type submitInput struct {
	Tenant string `header:"Polymath-Tenant" maxLength:"64" doc:"Whom the jobs belong to; default when missing." example:"default"`
	Key    string `header:"Idempotency-Key" maxLength:"255" doc:"Of a single request: with the same key it leads to the same job." example:"order-1042"`
	Prefer string `header:"Prefer" maxLength:"256" doc:"wait=N waits up to N seconds, at most 60, for a single job to finish." example:"wait=10"`
}

// jobOutput is an answer about one job.
type jobOutput struct {
	Status     int
	Location   string `header:"Location" doc:"Where the job is."`
	RetryAfter string `header:"Retry-After" doc:"When to ask for it again, in seconds, if it is not finished."`
	Applied    string `header:"Preference-Applied" doc:"The wait that was kept to."`
	Body       any
}

func (f *face) jobOperations() {
	tag := []string{"jobs"}
	operate(f, huma.Operation{
		Method: http.MethodPost, Path: "/v1/jobs", Summary: "Submit jobs", Tags: tag, DefaultStatus: http.StatusAccepted,
		Description: "One object asks for one job and is answered with it: 202, or 200 when it finished within the time given by Prefer. An array asks for up to 1,000 and is answered with an item for each, which is a job or an error. What has an id is durable.",
		Responses:   f.submitResponses(),
	}, api.Submit{}, f.submit)
	operate(f, huma.Operation{Method: http.MethodGet, Path: "/v1/jobs", Summary: "List jobs", Tags: tag}, nil, f.listJobs)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}", Summary: "Read a job", Tags: tag,
		Responses: f.answers(http.StatusOK, api.Job{}),
	}, nil, f.readJob)
	for method, path := range map[string]string{http.MethodPost: "/v1/jobs/{id}/cancel", http.MethodDelete: "/v1/jobs/{id}"} {
		operate(f, huma.Operation{
			Method: method, Path: path, Summary: map[string]string{http.MethodPost: "Cancel a job", http.MethodDelete: "Delete a job"}[method], Tags: tag,
			Description: "Ends a job that is not finished. A finished one stays as it is, and the answer shows it.",
			Responses:   f.answers(http.StatusOK, api.Job{}),
		}, nil, f.cancelJob)
	}
}

// answers documents the body of an operation whose body has no one type.
func (f *face) answers(status int, body any) map[string]*huma.Response {
	schema := f.api.OpenAPI().Components.Schemas.Schema(typeOf(body), true, "")
	return map[string]*huma.Response{strconv.Itoa(status): {
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}}
}

func (f *face) submitResponses() map[string]*huma.Response {
	out := f.answers(http.StatusOK, api.Job{})
	schemas := f.api.OpenAPI().Components.Schemas
	out["202"] = &huma.Response{
		Description: http.StatusText(http.StatusAccepted),
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: []*huma.Schema{
			schemas.Schema(typeOf(api.Job{}), true, ""), schemas.Schema(typeOf(api.SubmittedList{}), true, ""),
		}}}},
	}
	return out
}

func (f *face) submit(ctx context.Context, in *submitInput) (*jobOutput, error) {
	data, err := readBody(ctx)
	if err != nil {
		return nil, err
	}
	if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && start[0] == '[' {
		return f.submitMany(ctx, in, data)
	}
	var request api.Submit
	if err := f.decode(data, "", &request); err != nil {
		return nil, err
	}
	if in.Key != "" {
		if request.Key != "" && request.Key != in.Key {
			return nil, invalid("the key and the Idempotency-Key header differ: give one of them")
		}
		request.Key = in.Key
	}
	wait := preference(in.Prefer)
	if wait > 0 { // before the job: a request that is refused changed nothing
		if err := f.waiting.enter("requests that wait"); err != nil {
			return nil, err
		}
		defer f.waiting.leave()
	}
	outcome := f.backend.Submit(ctx, in.Tenant, []api.Submit{request})[0]
	if outcome.Err != nil {
		return nil, outcome.Err
	}
	var job api.Job
	if wait > 0 {
		job, err = f.wait(ctx, outcome.ID, wait)
	} else {
		job, err = f.backend.Job(ctx, outcome.ID)
	}
	if err != nil {
		return nil, err
	}
	out := pictureOf(&job, http.StatusAccepted, wait)
	if wait > 0 && job.Final() {
		out.Status = http.StatusOK
	}
	return out, nil
}

// pictureOf answers with a job.
func pictureOf(job *api.Job, status int, waited time.Duration) *jobOutput {
	out := &jobOutput{Status: status, Body: job}
	if status == http.StatusAccepted {
		out.Location = "/v1/jobs/" + job.ID
	}
	if !job.Final() {
		out.RetryAfter = pollSeconds
	}
	if waited > 0 {
		out.Applied = fmt.Sprintf("wait=%d", int(waited.Seconds()))
	}
	return out
}

// submitMany asks for all jobs of an array that can be read, in one call.
func (f *face) submitMany(ctx context.Context, in *submitInput, data []byte) (*jobOutput, error) {
	if in.Key != "" {
		return nil, invalid("the Idempotency-Key header is for a single request: give each of an array a key of its own")
	}
	if err := checkShape(data); err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, syntax(data, err)
	}
	if len(items) == 0 || len(items) > api.MaxSubmits {
		return nil, invalid("the array has %d requests: 1 to %d are taken in one call", len(items), api.MaxSubmits)
	}
	list := api.SubmittedList{Items: make([]api.Submitted, len(items))}
	requests := make([]api.Submit, 0, len(items))
	places := make([]int, 0, len(items))
	for i, item := range items {
		var request api.Submit
		if err := f.decode(item, fmt.Sprintf("[%d]", i), &request); err != nil {
			f.settle(ctx, &list, i, Outcome{Err: err})
			continue
		}
		requests, places = append(requests, request), append(places, i)
	}
	for n, outcome := range f.backend.Submit(ctx, in.Tenant, requests) {
		f.settle(ctx, &list, places[n], outcome)
	}
	return &jobOutput{Status: http.StatusAccepted, Body: &list}, nil
}

// settle notes the outcome of one request of an array.
func (f *face) settle(ctx context.Context, list *api.SubmittedList, i int, o Outcome) {
	if o.Err != nil {
		p := f.refuse(ctx, o.Err).Problem
		list.Items[i].Error = &p
		list.Refused++
		return
	}
	list.Items[i] = api.Submitted{ID: o.ID.String(), Existing: o.Existing}
	list.Accepted++
}

type listInput struct {
	Freshness
	Paging
	Tenant   string `query:"tenant" maxLength:"64" doc:"Only those of this tenant." example:"default"`
	Function string `query:"function" maxLength:"64" doc:"Only those of this function." example:"primes"`
	Queue    string `query:"queue" maxLength:"64" doc:"Only those of queues of this name." example:"default"`
	State    string `query:"state" enum:"queued,running,succeeded,failed,cancelled" doc:"Only those in this state." example:"running"`
}

type output[T any] struct{ Body T }

func (f *face) listJobs(ctx context.Context, in *listInput) (*output[api.JobList], error) {
	q := JobQuery{Tenant: in.Tenant, Function: in.Function, Queue: in.Queue, Limit: in.Limit}
	var err error
	if in.State != "" {
		if q.State, err = polymath.ParseState(in.State); err != nil {
			return nil, err
		}
	}
	if in.Cursor != "" {
		if q.After, err = polymath.ParseJobID(in.Cursor); err != nil {
			return nil, badCursor(in.Cursor)
		}
	}
	if err := f.consistent(ctx, in.Consistency); err != nil {
		return nil, err
	}
	list, err := f.backend.List(ctx, q)
	return &output[api.JobList]{list}, err
}

func badCursor(cursor string) error {
	return invalid("%.80q is no cursor of this list: take the next of the page before", cursor)
}

type readInput struct {
	JobPath
	Freshness
	Prefer string `header:"Prefer" maxLength:"256" doc:"wait=N waits up to N seconds, at most 60, for the job to finish." example:"wait=10"`
	Why    bool   `query:"why" doc:"Also say why it is not finished." example:"true"`
}

func (f *face) readJob(ctx context.Context, in *readInput) (*jobOutput, error) {
	id, err := in.job()
	if err != nil {
		return nil, err
	}
	if err := f.consistent(ctx, in.Consistency); err != nil {
		return nil, err
	}
	job, waited, err := f.readPatiently(ctx, id, in.Prefer)
	if err != nil {
		return nil, err
	}
	if in.Why && !job.Final() {
		if job.Why, err = f.backend.Why(ctx, id); err != nil {
			return nil, err
		}
	}
	return pictureOf(&job, http.StatusOK, waited), nil
}

// readPatiently reads a job, waiting for its end as long as is preferred.
func (f *face) readPatiently(ctx context.Context, id polymath.JobID, prefer string) (job api.Job, waited time.Duration, err error) {
	job, err = f.backend.Job(ctx, id)
	wait := preference(prefer)
	if err != nil || wait == 0 || job.Final() {
		return job, wait, err
	}
	if err := f.waiting.enter("requests that wait"); err != nil {
		return job, 0, err
	}
	defer f.waiting.leave()
	job, err = f.wait(ctx, id, wait)
	return job, wait, err
}

func (f *face) cancelJob(ctx context.Context, in *JobPath) (*jobOutput, error) {
	id, err := in.job()
	if err != nil {
		return nil, err
	}
	before, err := f.backend.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	if !before.Final() {
		// NotFound: it finished in between, and what it became is the answer.
		if err := f.backend.Cancel(ctx, id); err != nil && polymath.CodeOf(err) != polymath.NotFound {
			return nil, err
		}
	}
	job, err := f.backend.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return pictureOf(&job, http.StatusOK, 0), nil
}
