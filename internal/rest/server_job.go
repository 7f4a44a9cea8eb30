package rest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/service"
)

// Submit hands all requests to the node in one batch, so that they share
// entries and a wait for the disk.
func (s *server) Submit(ctx context.Context, tenant string, requests []api.Submit) []Outcome {
	out := make([]Outcome, len(requests))
	specs := make([]polymath.Spec, len(requests))
	planned := make([]int, 0, len(requests))
	whose := "" // tenant, or the default
	for i := range requests {
		named, spec, err := s.service.Prepare(requestOf(tenant, &requests[i]))
		if err != nil {
			out[i].Err = err
			continue
		}
		whose, specs[i] = named, spec
		planned = append(planned, i)
	}
	done := make(chan int, len(planned))
	told := make([]Outcome, len(requests)) // of the node's until it is told
	s.node.Do(func(b *node.Batch) {
		for _, i := range planned {
			b.Submit(whose, &specs[i], func(a ledger.Answer) {
				told[i] = Outcome{s.node.JobID(a.Ref), a.Existing, a.Err}
				done <- i
			})
		}
	})
	unknown := polymath.Errorf(polymath.Timeout, "gave up waiting: the job may or may not have been taken; with a key it is safe to ask again")
	for _, i := range planned {
		out[i].Err = unknown
	}
	for range planned {
		select {
		case i := <-done:
			out[i] = told[i]
		case <-ctx.Done():
			return out
		case <-s.node.Failed():
			return out
		}
	}
	return out
}

func (s *server) submitOne(ctx context.Context, r *service.Request) (polymath.JobID, bool, error) {
	tenant, spec, err := s.service.Prepare(r)
	if err != nil {
		return polymath.JobID{}, false, err
	}
	return s.node.Submit(ctx, tenant, spec)
}

func requestOf(tenant string, r *api.Submit) *service.Request {
	return &service.Request{
		Function: r.Function, Input: r.Input, Tenant: tenant, Key: r.Key,
		Options: polymath.Options{
			Queue: r.Queue, Priority: r.Priority, Attempts: r.Attempts, SkipDead: r.SkipDead,
			NotBefore: millisOf(r.NotBefore), Deadline: millisOf(r.Deadline),
		},
	}
}

// jobOf is a job as others see it, without its result.
func jobOf(j *polymath.Job, working uint64) api.Job {
	out := api.Job{
		ID: j.ID.String(), Tenant: j.Tenant, Queue: j.Options.Queue, Function: j.Function, Input: json.RawMessage(j.Input),
		State: j.State.String(), Units: api.Count(j.Units), Done: api.Count(j.Done), Working: api.Count(working),
		Leased: api.Count(j.Leased), Dead: api.Count(j.Dead),
		Priority: j.Options.Priority, Attempts: j.Options.Attempts, SkipDead: j.Options.SkipDead,
		NotBefore: timeOf(j.Options.NotBefore), Deadline: timeOf(j.Options.Deadline),
		Submitted: timeOf(j.Submitted), Started: timeOf(j.Started), Finished: timeOf(j.Finished),
	}
	if out.Queue == "" {
		out.Queue = polymath.DefaultQueue
	}
	if j.Code != 0 { // without a status: no request failed
		out.Error = &api.Problem{
			Type: j.Code.Problem(), Title: jobTitle(j.Code),
			Detail: j.Error, Instance: "/v1/jobs/" + out.ID, Code: j.Code.String(),
		}
	}
	return out
}

// jobTitle is what became of a job in words.
func jobTitle(c polymath.Code) string {
	if c == polymath.CancelledJob {
		return "Cancelled"
	}
	return "Failed"
}

// pictured is a job with its result, if that is short. One that cannot be read
// keeps nobody from the rest of the job: it is why there is no result.
func (s *server) pictured(j *polymath.Job, working uint64) api.Job {
	out := jobOf(j, working)
	if j.State != polymath.Succeeded || len(j.Result) > polymath.MaxInlineBytes {
		return out
	}
	answer, err := s.answer(j)
	if err != nil {
		p := problemOf(err)
		p.Instance = "/v1/jobs/" + out.ID + "/result"
		out.Error = &p
		return out
	}
	if len(answer) <= polymath.MaxInlineBytes {
		out.Result = answer
	}
	return out
}

func (s *server) answer(j *polymath.Job) (json.RawMessage, error) {
	answer, err := s.service.Answer(j)
	if err == nil && !json.Valid(answer) {
		err = polymath.Errorf(polymath.Internal, "the answer of %v is no JSON", j.ID)
	}
	return answer, err
}

func (s *server) Job(_ context.Context, id polymath.JobID) (api.Job, error) {
	job, working, err := s.node.Job(id)
	if err != nil {
		return api.Job{}, err
	}
	return s.pictured(&job, working), nil
}

func (s *server) Wait(ctx context.Context, id polymath.JobID) (api.Job, error) {
	if err := s.service.BeginWait(); err != nil {
		return api.Job{}, err
	}
	defer s.service.EndWait()
	job, err := s.node.Wait(ctx, id)
	if err != nil {
		return api.Job{}, err
	}
	return s.pictured(&job, 0), nil
}

func (s *server) List(_ context.Context, q JobQuery) (api.JobList, error) {
	list := api.JobList{Items: []api.Job{}}
	page, err := s.node.Jobs(node.JobQuery(q))
	for i := range page.Jobs {
		list.Items = append(list.Items, jobOf(&page.Jobs[i], 0))
	}
	if !page.Next.IsZero() {
		list.Next = page.Next.String()
	}
	return list, err
}

func (s *server) Cancel(ctx context.Context, id polymath.JobID) error { return s.node.Cancel(ctx, id) }

func (s *server) Answer(_ context.Context, id polymath.JobID) (api.Job, json.RawMessage, error) {
	job, _, err := s.node.Job(id)
	if err != nil {
		return api.Job{}, nil, err
	}
	out := jobOf(&job, 0)
	if err := noResult(&out); err != nil {
		return out, nil, err
	}
	answer, err := s.answer(&job)
	return out, answer, err
}

func (s *server) Tasks(_ context.Context, id polymath.JobID) (api.TaskList, error) {
	list := api.TaskList{Items: []api.Task{}}
	tasks, err := s.node.Tasks(id)
	for i := range tasks.Leases {
		t := &tasks.Leases[i]
		list.Items = append(list.Items, api.Task{
			State: "leased", From: api.Count(t.Interval.From), To: api.Count(t.Interval.To), Attempt: t.Attempt,
			Token: t.Token.String(), Worker: t.Worker, Session: sessionID(id.Shard, t.Session), Done: api.Count(t.Done),
			Seconds: t.For.Seconds(), Speculative: t.Speculative, Slow: t.Slow, Error: t.Error,
		})
	}
	for i := range tasks.Retries {
		r := &tasks.Retries[i]
		list.Items = append(list.Items, api.Task{
			State: "retry", From: api.Count(r.Interval.From), To: api.Count(r.Interval.To), Attempt: r.Attempts + 1,
			Error: r.Error, Due: timeOf(r.Due),
		})
	}
	return list, err
}

func (s *server) Why(_ context.Context, id polymath.JobID) (string, error) { return s.node.Why(id) }

func (s *server) Bar(_ context.Context, id polymath.JobID, buckets int) (api.Bar, error) {
	bar := api.Bar{ID: id.String(), Buckets: []api.Bucket{}}
	parts, err := s.node.Parts(id)
	if err != nil {
		return bar, err
	}
	var units uint64
	if len(parts) > 0 {
		units = parts[len(parts)-1].Interval.To
	}
	bar.Units = api.Count(units)
	for _, b := range node.Bar(parts, units, buckets) {
		bar.Buckets = append(bar.Buckets, bucketOf(b))
	}
	return bar, nil
}

// bucketOf is the shares of a bucket by name.
func bucketOf(s node.Shares) api.Bucket {
	return api.Bucket{
		Done: s[node.PartDone], Leased: s[node.PartLeased], Retry: s[node.PartRetry], Returned: s[node.PartReturned],
		Dead: s[node.PartDead], Waiting: s[node.PartWaiting], Unknown: s[node.PartUnknown],
	}
}

func isRemote(f any) bool {
	_, ok := f.(remote.Function)
	return ok
}

// maxSeconds is the longest duration somebody may mean: 31 years.
const maxSeconds = 1e9

// seconds is a duration somebody gave as a number.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, maxSeconds) * float64(time.Second))
}
