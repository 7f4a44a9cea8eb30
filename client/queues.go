package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/polymath-run/polymath/api"
)

// Queues reads all queues, sorted by tenant and name.
func (c *Client) Queues(ctx context.Context) ([]api.Queue, error) {
	var list api.QueueList
	err := c.get(ctx, "/v1/queues", nil, &list)
	return list.Items, err
}

// SetQueue pauses or resumes a queue, or sets its share of the workers and how
// many leases it has at most; what the patch leaves out stays. It returns the
// queue as it is then. tenant "" is the Client's.
func (c *Client) SetQueue(ctx context.Context, tenant, name string, patch api.QueuePatch) (queue api.Queue, err error) {
	path := "/v1/queues/" + url.PathEscape(c.whose(tenant)) + "/" + url.PathEscape(name)
	err = c.call(ctx, http.MethodPatch, path, patch, &queue)
	return queue, err
}
