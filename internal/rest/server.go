package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/service"
)

// server is a Backend over the service of one node.
type server struct {
	*crew
	service *service.Service
	node    *node.Node
	history *history.History
	began   time.Time
	setting sync.Mutex // held from reading a queue's settings to changing them
}

// Over makes the Backend of a service and the history of its node.
func Over(s *service.Service, h *history.History) Backend {
	return &server{crew: newCrew(s), service: s, node: s.Node(), history: h, began: time.Now()}
}

// timeOf is a time of the ledger, nil for none.
func timeOf(millis int64) *time.Time {
	if millis == 0 {
		return nil
	}
	t := time.UnixMilli(millis).UTC()
	return &t
}

// millisOf is the reverse of timeOf.
func millisOf(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return max(t.UnixMilli(), 1)
}

func (s *server) Queues(context.Context) (api.QueueList, error) {
	list := api.QueueList{Items: []api.Queue{}}
	for _, q := range s.node.Queues() {
		list.Items = append(list.Items, api.Queue{
			Tenant: q.Tenant, Name: q.Name, Paused: q.Paused, Weight: q.Weight, Concurrency: q.Concurrency,
			Jobs: api.Count(q.Jobs), Waiting: api.Count(q.Waiting), Leased: api.Count(q.Leased), Dead: api.Count(q.Dead),
		})
	}
	slices.SortFunc(list.Items, func(a, b api.Queue) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// queue reads one queue; one that is not there has no settings.
func (s *server) queue(ctx context.Context, tenant, name string) (api.Queue, error) {
	list, err := s.Queues(ctx)
	for _, q := range list.Items {
		if q.Tenant == tenant && q.Name == name {
			return q, err
		}
	}
	return api.Queue{Tenant: tenant, Name: name, Weight: 1}, err
}

func (s *server) SetQueue(ctx context.Context, tenant, name string, patch *api.QueuePatch) (api.Queue, error) {
	s.setting.Lock()
	defer s.setting.Unlock()
	q, err := s.queue(ctx, tenant, name)
	if err != nil {
		return q, err
	}
	if patch.Paused != nil {
		q.Paused = *patch.Paused
	}
	if patch.Weight != nil {
		q.Weight = *patch.Weight
	}
	if patch.Concurrency != nil {
		q.Concurrency = *patch.Concurrency
	}
	settings := node.QueueSettings{Weight: q.Weight, Concurrency: q.Concurrency, Paused: q.Paused}
	if err := s.node.SetQueue(ctx, tenant, name, settings); err != nil {
		return q, err
	}
	return s.queue(ctx, tenant, name)
}

func (s *server) Functions(context.Context) (api.FunctionList, error) {
	supply := make(map[string]supplied)
	for _, f := range s.node.Functions() {
		supply[f.Name] = supplied{int(f.Workers), f.Slots}
	}
	list := api.FunctionList{Items: []api.Function{}}
	for _, name := range s.service.Catalog().Names() {
		f, err := s.service.Catalog().Get(name)
		if err != nil {
			continue // nobody declares it any more
		}
		list.Items = append(list.Items, functionOf(f, supply[name]))
	}
	return list, nil
}

func (s *server) Function(_ context.Context, name string) (api.Function, error) {
	f, err := s.service.Catalog().Get(name)
	if err != nil {
		return api.Function{}, err
	}
	var supply supplied
	for _, info := range s.node.Functions() {
		if info.Name == name {
			supply = supplied{int(info.Workers), info.Slots}
		}
	}
	return functionOf(f, supply), nil
}

// supplied is who offers a function.
type supplied struct {
	workers int
	slots   uint64
}

func functionOf(f function.Function, by supplied) api.Function {
	d := f.Describe()
	out := api.Function{
		Name: d.Name, Summary: d.Summary, Kind: string(d.Kind), Params: []api.Param{}, Unit: d.Unit, Cost: d.Cost,
		Remote: isRemote(f), Workers: by.workers, Slots: api.Count(by.slots),
	}
	for _, p := range d.Params {
		out.Params = append(out.Params, api.Param{Name: p.Name, Type: string(p.Type), Doc: p.Doc, Default: p.Default, Required: p.Required, Choices: p.Choices})
	}
	if e := d.Example; e.Input != "" {
		out.Example = &api.FunctionExample{Args: e.Args, Input: json.RawMessage(e.Input), Answer: json.RawMessage(cmp.Or(e.Answer, "null"))}
	}
	return out
}

func (s *server) Stats(context.Context) (api.Stats, error) {
	st := s.node.Stats()
	return api.Stats{
		Node: s.node.Name(), Index: s.node.Index().String(), Uptime: time.Since(s.began).Seconds(),
		Jobs: api.Count(st.Jobs), MaxJobs: api.Count(st.MaxJobs), Bytes: api.Count(st.Bytes), MaxBytes: api.Count(st.MaxBytes),
		Leases: st.Leases, Workers: len(s.node.Workers()), Functions: len(s.service.Catalog().Names()),
	}, nil
}

func (s *server) History(_ context.Context, step time.Duration, from, to time.Time) (api.History, error) {
	out := api.History{Seconds: int(step.Seconds()), Points: []api.Point{}}
	for _, p := range s.history.Series(history.Resolution(step), from.UnixMilli(), to.UnixMilli()) {
		c, g := &p.Counts, &p.Gauges
		out.Points = append(out.Points, api.Point{
			Time: time.UnixMilli(p.At).UTC(), Submitted: api.Count(c.Submitted), Started: api.Count(c.Started),
			Succeeded: api.Count(c.Succeeded), Failed: api.Count(c.Failed), Cancelled: api.Count(c.Cancelled),
			Units: api.Count(c.Units), Granted: api.Count(c.Granted), Ended: api.Count(c.Ended()),
			Expired: api.Count(c.Expired), Dead: api.Count(c.Dead), Sampled: p.Sampled,
			Jobs: api.Count(g.Jobs), Leases: api.Count(g.Leases), Workers: api.Count(g.Workers), Bytes: api.Count(g.Bytes),
		})
	}
	return out, nil
}

func (s *server) Spans(_ context.Context, after string, limit int) (api.SpanList, error) {
	list := api.SpanList{Items: []api.Span{}, Running: []api.Span{}}
	var cursor uint64
	if after != "" {
		var err error
		if cursor, err = strconv.ParseUint(after, 10, 64); err != nil {
			return list, badCursor(after)
		}
	}
	page := s.history.Ended(time.Now().UnixMilli(), cursor, limit)
	for i := range page.Spans {
		list.Items = append(list.Items, spanOf(&page.Spans[i]))
	}
	list.Next, list.More, list.Gap = strconv.FormatUint(page.Next, 10), page.More, page.Gap
	if !page.More {
		open := s.history.Open(polymath.Token{}, history.MaxPage)
		for i := range open {
			list.Running = append(list.Running, spanOf(&open[i]))
		}
	}
	return list, nil
}

func spanOf(s *history.Span) api.Span {
	out := api.Span{
		Token: s.Token.String(), Job: s.Job.String(), Function: s.Function, Worker: s.Worker,
		From: api.Count(s.Interval.From), To: api.Count(s.Interval.To), Granted: time.UnixMilli(s.Granted).UTC(), Ended: timeOf(s.Ended),
	}
	if s.Ended != 0 {
		out.Outcome = s.State()
	}
	return out
}

func (s *server) Ready(context.Context) error {
	select {
	case <-s.node.Failed():
		return polymath.Errorf(polymath.Unavailable, "the node stopped: %w", s.node.Err())
	default:
		return nil
	}
}

func (s *server) Barrier(ctx context.Context) error { return s.node.Barrier(ctx) }

func (s *server) Events() Listener { return s.node.Events() }

func (s *server) DeadLetters(_ context.Context, q LetterQuery) (api.DeadLetterList, error) {
	list := api.DeadLetterList{Items: []api.DeadLetter{}}
	page, err := s.node.DeadLetters(archive.LetterID(q.After), q.Limit, archive.LetterFilter{Job: q.Job, Tenant: q.Tenant, Queue: q.Queue})
	for i := range page.Letters {
		list.Items = append(list.Items, letterPicture(&page.Letters[i]))
	}
	list.Next = LetterCursor(LetterID(page.Next))
	return list, err
}

func letterPicture(d *polymath.DeadLetter) api.DeadLetter {
	return api.DeadLetter{
		Job: d.Job.String(), Unit: api.Count(d.Interval.From), Tenant: d.Tenant, Queue: d.Queue, Function: d.Function,
		Attempts: d.Attempts, Error: d.Error, Worker: d.Worker, Time: time.UnixMilli(d.At).UTC(),
	}
}

func (s *server) DeadLetter(_ context.Context, at LetterID) (api.DeadLetter, error) {
	d, err := s.node.DeadLetter(archive.LetterID(at))
	return letterPicture(&d), err
}

// Requeue submits first: a server that dies in between leaves a letter too
// many, which is seen, and not one too few. The letter is the key, so that it
// leads to one job however often it is tried.
func (s *server) Requeue(ctx context.Context, at LetterID) (polymath.JobID, error) {
	if _, err := s.node.DeadLetter(archive.LetterID(at)); err != nil {
		return polymath.JobID{}, err
	}
	job, _, err := s.node.Job(at.Job)
	if err != nil {
		return polymath.JobID{}, err
	}
	options := job.Options
	options.NotBefore, options.Deadline, options.Key, options.Body = 0, 0, [16]byte{}, [16]byte{}
	id, _, err := s.submitOne(ctx, &service.Request{
		Function: job.Function, Input: job.Input, Tenant: job.Tenant, Options: options, Key: "requeue:" + LetterCursor(at),
	})
	if err != nil {
		return id, err
	}
	err = s.node.Discard(ctx, archive.LetterID(at))
	if polymath.CodeOf(err) == polymath.NotFound {
		err = nil // somebody else let go of it meanwhile
	}
	return id, err
}

func (s *server) Purge(ctx context.Context, at LetterID) error {
	return s.node.Discard(ctx, archive.LetterID(at))
}

func (s *server) PurgeQueue(ctx context.Context, tenant, queue string) error {
	return s.node.DiscardAll(ctx, tenant, queue)
}
