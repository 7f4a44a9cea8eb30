package client

import (
	"context"
	"net/url"

	"github.com/polymath-run/polymath/api"
)

// Functions reads what the server can calculate, by name: its own functions,
// and those that workers offer now.
func (c *Client) Functions(ctx context.Context) ([]api.Function, error) {
	var list api.FunctionList
	err := c.get(ctx, "/v1/functions", nil, &list)
	return list.Items, err
}

// Function reads what the server says of one function. NotFound, with the
// names there are, for an unknown one.
func (c *Client) Function(ctx context.Context, name string) (function api.Function, err error) {
	err = c.get(ctx, "/v1/functions/"+url.PathEscape(name), nil, &function)
	return function, err
}
