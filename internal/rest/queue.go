package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath/api"
)

// queuePath is the path of a queue.
type queuePath struct {
	Tenant string `path:"tenant" maxLength:"64" doc:"Whose queue it is." example:"default"`
	Name   string `path:"name" maxLength:"64" doc:"The name of the queue." example:"default"`
}

func (f *face) queueOperations() {
	tag := []string{"queues"}
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/queues", Summary: "List queues", Tags: tag,
	}, nil, func(ctx context.Context, _ *struct{}) (*output[api.QueueList], error) {
		list, err := f.backend.Queues(ctx)
		return &output[api.QueueList]{list}, err
	})
	operate(f, huma.Operation{
		Method: http.MethodPatch, Path: "/v1/queues/{tenant}/{name}", Summary: "Change a queue", Tags: tag,
		Description: "Pauses it, or sets its share of the workers and how many leases it has at most. What is left out stays.",
	}, api.QueuePatch{}, func(ctx context.Context, in *queuePath) (*output[api.Queue], error) {
		patch, err := read[api.QueuePatch](ctx, f)
		if err != nil {
			return nil, err
		}
		if patch == (api.QueuePatch{}) {
			return nil, invalid("the patch is empty: give paused, weight or concurrency")
		}
		q, err := f.backend.SetQueue(ctx, in.Tenant, in.Name, &patch)
		return &output[api.Queue]{q}, err
	})
}
