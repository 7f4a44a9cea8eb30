package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath/api"
)

// workerPath is the path of a worker.
type workerPath struct {
	ID string `path:"id" maxLength:"128" doc:"The id the worker got when it joined, whole." example:"0-1-3-0.OJ5GKTQ2W7ENFZXCB4RYAL3UDH"`
}

type joined struct {
	Location string `header:"Location" doc:"Where the worker is."`
	Body     api.Joined
}

// beatSeconds is how often a worker should be heard of.
const beatSeconds = 1

func (f *face) workerOperations() {
	tag := []string{"workers"}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/workers", Summary: "List workers", Tags: tag,
	}, nil, func(ctx context.Context, _ *struct{}) (*output[api.WorkerList], error) {
		list, err := f.backend.Workers(ctx)
		return &output[api.WorkerList]{list}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodPost, Path: "/v1/workers", Summary: "Join as a worker", Tags: tag, DefaultStatus: http.StatusCreated,
		Description: "Opens a session for a worker in any language. Then exchange, again and again: hand in what is done, wait for what there is to do.",
	}, api.Join{}, func(ctx context.Context, _ *struct{}) (*joined, error) {
		j, err := read[api.Join](ctx, f)
		if err != nil {
			return nil, err
		}
		id, err := f.backend.Join(ctx, &j)
		return &joined{Location: "/v1/workers/" + id, Body: api.Joined{ID: id, Beat: beatSeconds}}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodPost, Path: "/v1/workers/{id}/exchange", Summary: "Exchange work", Tags: tag,
		Description: "Takes everything the worker has to say, and waits until there is something to tell it or its time is up. 404: the session is over, join again.",
	}, api.Exchange{}, f.exchange)
	operate(f, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/workers/{id}", Summary: "Leave", Tags: tag, DefaultStatus: http.StatusNoContent,
		Description: "Ends the session. Leases it still has go to others at once.",
	}, nil, func(ctx context.Context, in *workerPath) (*struct{}, error) {
		return nil, f.backend.Leave(ctx, in.ID)
	})
}

func (f *face) exchange(ctx context.Context, in *workerPath) (*output[api.Assignment], error) {
	x, err := read[api.Exchange](ctx, f)
	if err != nil {
		return nil, err
	}
	if err := f.waiting.enter("requests that wait"); err != nil {
		return nil, err
	}
	defer f.waiting.leave()
	patient, stop := f.patience(ctx, time.Duration(x.Wait*float64(time.Second)))
	defer stop()
	a, err := f.backend.Exchange(ctx, in.ID, &x, patient.Done())
	return &output[api.Assignment]{a}, err
}
