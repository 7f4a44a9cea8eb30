package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// Bounds of a Client.
const (
	maxAnswer = 8 << 20 // bytes: a list of the most upstreams has some two million
	askTime   = 15 * time.Second
)

// Client asks a running balancer.
type Client struct {
	base   string
	client http.Client
}

// Dial makes a Client of the URL of an admin API. It connects when it is used.
func Dial(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, polymath.Errorf(polymath.InvalidArgument, "%.80q is no URL of an admin API: write it as http://127.0.0.1:8081", base)
	}
	return &Client{base: strings.TrimSuffix(base, "/")}, nil
}

// List lists the upstreams.
func (c *Client) List(ctx context.Context) (List, error) {
	return ask[List](ctx, c, call{method: http.MethodGet, path: "/v1/upstreams"})
}

// Stats reads the balancer as a whole.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	return ask[Stats](ctx, c, call{method: http.MethodGet, path: "/v1/stats"})
}

// Add adds an upstream.
func (c *Client) Add(ctx context.Context, u NewUpstream) (Upstream, error) {
	return ask[Upstream](ctx, c, call{method: http.MethodPost, path: "/v1/upstreams", body: u})
}

// Change changes an upstream. One that is to be drained is waited for so long,
// rounded up to seconds, at most MaxWait.
func (c *Client) Change(ctx context.Context, name string, p Patch, wait time.Duration) (Upstream, error) {
	return ask[Upstream](ctx, c, call{method: http.MethodPatch, path: Path(name), body: p, wait: wait})
}

// Remove removes an upstream.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: Path(name)}, nil)
}

// Reload has the configuration read again.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	return ask[Reloaded](ctx, c, call{method: http.MethodPost, path: "/v1/reload"})
}

// call is one request.
type call struct {
	method, path string
	body         any // nil: none
	wait         time.Duration
}

// ask makes a request whose answer is a T.
func ask[T any](ctx context.Context, c *Client, a call) (T, error) {
	var out T
	err := c.do(ctx, a, &out)
	return out, err
}

// do makes a request and reads its answer.
func (c *Client) do(ctx context.Context, a call, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime+a.wait)
	defer cancel()
	var body io.Reader = http.NoBody
	if a.body != nil {
		text, err := json.Marshal(a.body)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, a.method, c.base+a.path, body)
	if err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "%w", err)
	}
	if a.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if seconds := int((a.wait + time.Second - 1) / time.Second); seconds > 0 {
		r.Header.Set("Prefer", "wait="+strconv.Itoa(seconds))
	}
	response, err := c.client.Do(r)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return polymath.Errorf(polymath.Interrupted, "interrupted while asking %s", c.base)
		}
		return polymath.Errorf(polymath.Unavailable, "no balancer answers at %s: is it running, and is --admin right? (%w)", c.base, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return polymath.Errorf(polymath.Unavailable, "the answer of %s ended early: %w", c.base, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return failure(response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return polymath.Errorf(polymath.Unavailable, "what answers at %s is no admin API of a balancer: %w", c.base, err)
	}
	return nil
}

// failure makes an error of an answer.
func failure(status int, text []byte) error {
	var p api.Problem
	if json.Unmarshal(text, &p) == nil {
		for _, code := range polymath.Codes() {
			if code.String() == p.Code {
				return polymath.Errorf(code, "%s", p.Error())
			}
		}
	}
	return polymath.Errorf(polymath.Unavailable, "%s", fmt.Sprintf("the answer was %d %s, and no problem that is known", status, http.StatusText(status)))
}
