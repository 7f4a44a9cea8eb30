package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// historyInput is a stretch of time.
type historyInput struct {
	Step string    `query:"step" enum:"1s,10s" default:"1s" doc:"How long a point stands for: 1s reaches back 15 minutes, 10s a day." example:"1s"`
	From time.Time `query:"from" doc:"The first moment; as early as there is when left out." example:"2026-11-21T12:00:00Z"`
	To   time.Time `query:"to" doc:"The moment after the last; now when left out." example:"2026-11-21T12:15:00Z"`
}

func (f *face) stateOperations() {
	tag := []string{"server"}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/functions", Summary: "List functions", Tags: tag,
	}, nil, func(ctx context.Context, _ *struct{}) (*output[api.FunctionList], error) {
		list, err := f.backend.Functions(ctx)
		return &output[api.FunctionList]{list}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/functions/{name}", Summary: "Describe a function", Tags: tag,
	}, nil, func(ctx context.Context, in *struct {
		Name string `path:"name" maxLength:"64" doc:"The name of the function." example:"primes"`
	}) (*output[api.Function], error) {
		function, err := f.backend.Function(ctx, in.Name)
		return &output[api.Function]{function}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/stats", Summary: "Read the stats", Tags: tag,
	}, nil, f.stats)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/history", Summary: "Read the history", Tags: tag,
		Description: "What happened, second by second or in stretches of ten. Stretches in which the server was down are missing.",
	}, nil, f.history)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/tasks", Summary: "List leases over time", Tags: tag,
		Description: "Leases of the last minutes from grant to end, those still out included at the end of the last page.",
	}, nil, func(ctx context.Context, in *Paging) (*output[api.SpanList], error) {
		list, err := f.backend.Spans(ctx, in.Cursor, in.Limit)
		return &output[api.SpanList]{list}, err
	})
	f.health()
}

func (f *face) history(ctx context.Context, in *historyInput) (*output[api.History], error) {
	from, to := in.From, in.To
	if to.IsZero() {
		to = time.Now()
	}
	if from.IsZero() {
		from = time.UnixMilli(0)
	}
	if from.After(to) {
		return nil, invalid("from is after to")
	}
	step, err := time.ParseDuration(in.Step)
	if err != nil {
		return nil, invalid("step %q is no duration", in.Step)
	}
	h, err := f.backend.History(ctx, step, from, to)
	return &output[api.History]{h}, err
}

func (f *face) stats(ctx context.Context, in *Freshness) (*output[api.Stats], error) {
	if err := f.consistent(ctx, in.Consistency); err != nil {
		return nil, err
	}
	stats, err := f.backend.Stats(ctx)
	if err != nil {
		return nil, err
	}
	stats.Version = f.options.Version
	stats.Streams, stats.Waiting = int(f.streams.in.Load()), int(f.waiting.in.Load())
	return &output[api.Stats]{stats}, nil
}

// Healthy is the body of /livez and /readyz.
type Healthy struct {
	Status string `json:"status" doc:"ok" example:"ok"`
}

// health tells those who start, route to and restart servers.
func (f *face) health() {
	tag := []string{"server"}
	ok := &output[Healthy]{Healthy{"ok"}}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/livez", Summary: "Ask whether the process lives", Tags: tag,
	}, nil, func(context.Context, *struct{}) (*output[Healthy], error) { return ok, nil })
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/readyz", Summary: "Ask whether the server serves", Tags: tag,
		Description: "503 when it cannot take requests, or is about to stop.",
	}, nil, func(ctx context.Context, _ *struct{}) (*output[Healthy], error) {
		if f.options.Stopping.Err() != nil {
			return nil, polymath.Errorf(polymath.Unavailable, "the server is stopping")
		}
		return ok, f.backend.Ready(ctx)
	})
}
