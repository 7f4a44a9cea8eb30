package client

import (
	"context"

	"github.com/polymath-run/polymath/api"
)

// Stats reads the state of the server in numbers.
func (c *Client) Stats(ctx context.Context) (stats api.Stats, err error) {
	err = c.get(ctx, "/v1/stats", nil, &stats)
	return stats, err
}
