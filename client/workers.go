package client

import (
	"context"

	"github.com/polymath-run/polymath/api"
)

// Workers reads all workers with the leases they have, in the order in which
// they joined.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	var list api.WorkerList
	err := c.get(ctx, "/v1/workers", nil, &list)
	return list.Items, err
}
