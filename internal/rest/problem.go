package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/problem"
)

// maxRetrySeconds spreads those who were turned away, so that they do not
// come back together.
const maxRetrySeconds = 30

// refusal is a Problem on its way out.
type refusal struct {
	api.Problem
	header http.Header
}

// GetStatus makes it an error that huma writes as it is.
func (r *refusal) GetStatus() int { return r.Status }

// GetHeaders is for huma.
func (r *refusal) GetHeaders() http.Header { return r.header }

// ContentType is for huma.
func (*refusal) ContentType(string) string { return api.ProblemType }

// refuse makes the answer to a request that failed. What is internal goes to
// the log and not to the caller.
func (f *face) refuse(ctx context.Context, err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	c := callOf(ctx)
	out := &refusal{Problem: problemOf(err), header: http.Header{}}
	out.Instance = c.request.URL.Path
	switch code := codeOf(err); code {
	case polymath.Internal, polymath.Damaged:
		f.options.Log.LogAttrs(ctx, slog.LevelError, "a request failed",
			slog.String("method", c.request.Method), slog.String("path", LoggedPath(c.request)), slog.Any("error", err))
	case polymath.Unavailable:
		if f.options.Stopping.Err() == nil { // it is the server's trouble: requests that are merely refused are not logged
			f.options.Log.LogAttrs(ctx, slog.LevelWarn, "a request could not be served",
				slog.String("method", c.request.Method), slog.String("path", LoggedPath(c.request)), slog.Any("error", err))
		}
		fallthrough
	case polymath.Overloaded, polymath.RateLimited:
		out.header.Set("Retry-After", strconv.Itoa(1+rand.IntN(maxRetrySeconds)))
	}
	return out
}

// problemOf is an error as others may see it.
func problemOf(err error) api.Problem {
	code := codeOf(err)
	p := api.Problem{Type: code.Problem(), Code: code.String(), Status: code.HTTPStatus(), Detail: err.Error()}
	switch code {
	case polymath.Interrupted:
		p.Title = "Client Closed Request"
	case polymath.Internal, polymath.Damaged:
		p.Detail = "something went wrong inside the server; its log says what"
		p.Title = http.StatusText(p.Status)
	default:
		p.Title = http.StatusText(p.Status)
	}
	return p
}

// codeOf also knows the errors of contexts.
func codeOf(err error) polymath.Code {
	code := polymath.CodeOf(err)
	switch {
	case code != polymath.Internal:
	case errors.Is(err, context.Canceled):
		return polymath.Interrupted
	case errors.Is(err, context.DeadlineExceeded):
		return polymath.Timeout
	}
	return code
}

// translated gives huma's own errors the form and status of ours. It is a
// huma.Transformer.
func translated(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status := model.Status
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest // 422 says that a key was used before
	}
	if p, ok := ctx.(*patched); ok {
		p.status = status
	}
	c := callOf(ctx.Context())
	return problem.New(c.request, status, explain(model)), nil
}

// explain names the first thing that was wrong with a parameter.
func explain(m *huma.ErrorModel) string {
	if len(m.Errors) == 0 {
		return m.Detail
	}
	e := m.Errors[0]
	place, name, _ := strings.Cut(e.Location, ".")
	text := fmt.Sprintf("%s parameter %s: %s", place, name, e.Message)
	if e.Message == "unknown query parameter" {
		return fmt.Sprintf("query parameter %.80q is unknown here", name)
	}
	if e.Value != nil && e.Value != "" {
		text += fmt.Sprintf(", not %.80q", fmt.Sprint(e.Value))
	}
	if more := len(m.Errors) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}
