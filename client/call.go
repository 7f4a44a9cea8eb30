package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/wire"
)

// maxAnswerBytes bounds what is read of one answer: a page of api.MaxPage jobs
// with the longest inputs there are, and what is said about them.
const maxAnswerBytes = 80 << 20

// get reads what is at a path into answer.
func (c *Client) get(ctx context.Context, path string, query url.Values, answer any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, answer)
}

// call sends one request and reads its answer; a nil body or answer: none.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	resp, err := c.send(ctx, method, path, body, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if answer == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return c.lost(ctx, err)
	case len(data) > maxAnswerBytes:
		return polymath.Errorf(polymath.TooLarge, "the server's answer to %s has more than %d bytes: ask for smaller pages", path, maxAnswerBytes)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return polymath.Errorf(polymath.Internal, "what answers at %s is no Polymath server, or a newer one: %s: %w", c.link.Base(), path, err)
	}
	return nil
}

// send sends one request and returns an answer that is no error, whose body
// the caller closes.
func (c *Client) send(ctx context.Context, method, path string, body any, header http.Header) (*http.Response, error) {
	var data io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, polymath.Errorf(polymath.InvalidArgument, "the request cannot be written as JSON: %w", err)
		}
		data = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.link.Base()+path, data)
	if err != nil {
		return nil, polymath.Errorf(polymath.InvalidArgument, "no such request can be made: %w", err)
	}
	maps.Copy(r.Header, header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.link.Web().Do(r)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close() //nolint:errcheck // it was only read
		return nil, problem(resp)
	}
	return resp, nil
}

// lost is the error for a request that was not answered.
func (c *Client) lost(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return polymath.Errorf(polymath.Interrupted, "gave up waiting for %s: %w", c.link.Base(), ctx.Err())
	case ctx.Err() != nil:
		return polymath.Errorf(polymath.Timeout, "gave up waiting for %s: %w", c.link.Base(), ctx.Err())
	default:
		return polymath.Errorf(polymath.Unavailable, "the Polymath server at %s does not answer: %w", c.link.Base(), err)
	}
}

// maxProblemBytes bounds what is read of the answer to a request that failed.
const maxProblemBytes = 64 << 10

// problem reads why a request failed.
func problem(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	var p api.Problem
	if err == nil && strings.HasPrefix(resp.Header.Get("Content-Type"), api.ProblemType) && json.Unmarshal(text, &p) == nil && p.Code != "" {
		return polymath.Errorf(wire.Code(p.Code), "%s", p.Error())
	}
	return polymath.Errorf(codeOf(resp.StatusCode), "%s %s: %s, and no reason is given", resp.Request.Method, resp.Request.URL, resp.Status)
}

// codeOf is the code of an answer that gives none: a proxy's, perhaps.
func codeOf(status int) polymath.Code {
	if status == http.StatusBadGateway || status == http.StatusServiceUnavailable {
		return polymath.Unavailable
	}
	for _, code := range polymath.Codes() {
		if code.HTTPStatus() == status {
			return code
		}
	}
	return polymath.Internal
}

// paged reads page after page until there is no next one, the caller has
// enough, or a page cannot be read: its error is the last thing then.
func paged[T any](first string, page func(cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := first; ; {
			items, next, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range items {
				if !yield(items[i], nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// given makes a query of the parameters that are not "".
func given(pairs ...string) url.Values {
	q := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// limit is the limit of a page as a parameter; "" for the server's default.
func limit(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
