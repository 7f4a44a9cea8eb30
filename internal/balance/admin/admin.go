// Package admin is the balancer's own face: its upstreams and what they do, over
// HTTP and JSON, and for Prometheus.
//
//	GET    /v1/upstreams          list           GET  /v1/stats   totals
//	POST   /v1/upstreams          add            POST /v1/reload  read the file again
//	GET    /v1/upstreams/{name}   one            GET  /livez, /readyz
//	PATCH  /v1/upstreams/{name}   weight, drain  GET  /metrics
//	DELETE /v1/upstreams/{name}   remove         GET  /openapi.json
//
// A name is the upstream's URL, escaped as one segment of a path. Every error is
// a problem of RFC 9457. The handler decides nothing: it parses, bounds, and asks
// its Backend. It is to be wrapped in rest.Guard, as it has no access control.
package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/pick"
	"github.com/polymath-run/polymath/internal/balance/settings"
	"github.com/polymath-run/polymath/internal/problem"
)

// Bounds of a request.
const (
	maxBody  = 64 << 10
	bodyTime = 10 * time.Second // for a body to arrive
	// MaxWait is how long a request may wait for an upstream to be drained.
	MaxWait = time.Minute
)

// Backend is the balancer. Its methods are safe for concurrent use; errors have
// codes.
type Backend interface {
	// Look looks at everything at once.
	Look() Look
	// Add takes an upstream in, or configures the one of its name anew, and says
	// which.
	Add(ctx context.Context, u settings.Upstream) (name string, fresh bool, err error)
	// Change does what a patch says to an upstream.
	Change(name string, p Patch) error
	// Drained returns when a draining upstream has nothing under way any more, or
	// with a Timeout error when ctx ends.
	Drained(ctx context.Context, name string) error
	// Remove lets go of an upstream.
	Remove(name string) error
	// Reload reads the configuration again and says what has changed. On an error
	// nothing has.
	Reload(ctx context.Context) (Reloaded, error)
	// Ready says why no requests can be served; nil: they can.
	Ready() error
}

// face is a Backend over HTTP.
type face struct {
	backend Backend
	log     *slog.Logger
	mux     *http.ServeMux
}

// New makes the handler of a Backend; version is the program's.
func New(b Backend, version string, log *slog.Logger) http.Handler {
	f := &face{backend: b, log: log, mux: http.NewServeMux()}
	all := f.routes()
	text := published(all)
	whole := map[string]http.Handler{"GET /metrics": metrics(b, version), "GET /openapi.json": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // nobody is there to hear of a failure
	})}
	for i := range all {
		if h := whole[all[i].pattern]; h != nil {
			f.mux.Handle(all[i].pattern, h)
		} else {
			f.handle(all[i].pattern, all[i].do)
		}
	}
	return f
}

// handle makes a handler of a function that may fail.
func (f *face) handle(pattern string, do func(http.ResponseWriter, *http.Request) error) {
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.RawQuery) > 0 {
			f.refuse(w, r, polymath.Errorf(polymath.InvalidArgument, "nothing here takes a query: leave out ?%.40s", r.URL.RawQuery))
			return
		}
		if err := do(w, r); err != nil {
			f.refuse(w, r, err)
		}
	})
}

// ServeHTTP answers one request.
func (f *face) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	handler, pattern := f.mux.Handler(r)
	if pattern != "" {
		f.mux.ServeHTTP(w, r)
		return
	}
	problem.Unrouted(w, r, handler, "/openapi.json lists what there is")
}

func (f *face) list(w http.ResponseWriter, _ *http.Request) error {
	return write(w, http.StatusOK, f.upstreams())
}

func (f *face) stats(w http.ResponseWriter, _ *http.Request) error {
	look := f.backend.Look()
	return write(w, http.StatusOK, statsOf(&look))
}

func (f *face) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := f.backend.Ready(); err != nil {
		return err
	}
	return write(w, http.StatusOK, Healthy{"ok"})
}

func (f *face) one(w http.ResponseWriter, r *http.Request) error {
	return f.show(w, r.PathValue("name"), http.StatusOK)
}

// show answers with an upstream as it is now.
func (f *face) show(w http.ResponseWriter, name string, code int) error {
	name = canonical(name)
	for _, u := range f.upstreams().Items {
		if u.Name == name && u.State != leaving {
			return write(w, code, u)
		}
	}
	return polymath.Errorf(polymath.NotFound, "there is no upstream %.80q: GET /v1/upstreams lists them", name)
}

func (f *face) upstreams() List {
	look := f.backend.Look()
	return listOf(&look)
}

func (f *face) add(w http.ResponseWriter, r *http.Request) error {
	var in NewUpstream
	if err := read(w, r, &in); err != nil {
		return err
	}
	u := settings.Upstream{URL: in.URL, Host: in.Host, HTTP2: in.HTTP2, ProxyProtocol: in.ProxyProtocol, Number: in.Number}
	if in.Weight != nil {
		if u.Weight = *in.Weight; u.Weight == 0 { // which would be as if it were left out
			return polymath.Errorf(polymath.InvalidArgument, "upstream.weight: 0: it must be from 1 to %d; draining gives it no requests", pick.MaxWeight)
		}
	}
	if _, err := settings.CheckUpstream(&u); err != nil {
		return err
	}
	name, fresh, err := f.backend.Add(r.Context(), u)
	if err != nil {
		return err
	}
	if !fresh {
		return f.show(w, name, http.StatusOK)
	}
	w.Header().Set("Location", Path(name))
	return f.show(w, name, http.StatusCreated)
}

func (f *face) change(w http.ResponseWriter, r *http.Request) error {
	var patch Patch
	if err := read(w, r, &patch); err != nil {
		return err
	}
	if patch == (Patch{}) {
		return polymath.Errorf(polymath.InvalidArgument, "the patch is empty: give weight or drain")
	}
	if w := patch.Weight; w != nil && (*w < 0 || *w > pick.MaxWeight) {
		return polymath.Errorf(polymath.InvalidArgument, "weight: %d: it must be from 0 to %d", *w, pick.MaxWeight)
	}
	wait, err := preferred(r.Header.Get("Prefer"))
	if err != nil {
		return err
	}
	name := canonical(r.PathValue("name"))
	if err := f.backend.Change(name, patch); err != nil {
		return err
	}
	if wait > 0 && patch.Drain != nil && *patch.Drain {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		// Who waited in vain sees how much is under way.
		if err := f.backend.Drained(ctx, name); err != nil && polymath.CodeOf(err) != polymath.Timeout {
			return err
		}
	}
	return f.show(w, name, http.StatusOK)
}

func (f *face) remove(w http.ResponseWriter, r *http.Request) error {
	if err := f.backend.Remove(canonical(r.PathValue("name"))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *face) reload(w http.ResponseWriter, r *http.Request) error {
	out, err := f.backend.Reload(r.Context())
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}

// canonical is the name of an upstream however its URL is written.
func canonical(name string) string {
	if t, err := settings.ParseTarget(name); err == nil {
		return t.Name()
	}
	return name
}

// preferred reads wait=N of a Prefer field (RFC 7240), in seconds.
func preferred(field string) (time.Duration, error) {
	for item := range strings.SplitSeq(field, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if !strings.EqualFold(name, "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return 0, polymath.Errorf(polymath.InvalidArgument, "Prefer: wait=%.20q: give whole seconds, at most %.0f", value, MaxWait.Seconds())
		}
		return min(time.Duration(seconds)*time.Second, MaxWait), nil
	}
	return 0, nil
}

// read reads a body of JSON, strictly.
func read(w http.ResponseWriter, r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return polymath.Errorf(polymath.UnsupportedMedia, "Content-Type %.40q is not taken: say application/json", r.Header.Get("Content-Type"))
	}
	// Where it is not supported, as in a test, there is nobody to wait for.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return polymath.Errorf(polymath.TooLarge, "the body has more than %d bytes", maxBody)
		}
		return polymath.Errorf(polymath.InvalidArgument, "the body ended early: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "the body: %s", unreadable(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return polymath.Errorf(polymath.InvalidArgument, "the body: there is something behind the object")
	}
	return nil
}

// unreadable says why a body is not what it should be, without words of Go.
func unreadable(err error) string {
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what := "it"
		if t.Field != "" {
			what = t.Field
		}
		return fmt.Sprintf("%s cannot be %.40s", what, t.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// write answers with JSON.
func write(w http.ResponseWriter, code int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // nobody is there to hear of a failure
	return nil
}

// retrySeconds is when to come back to what is unavailable.
const retrySeconds = "1"

// refuse answers with what went wrong. What is internal goes to the log alone.
func (f *face) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := polymath.CodeOf(err)
	p := problem.New(r, code.HTTPStatus(), err.Error())
	p.Type, p.Code = code.Problem(), code.String()
	switch code {
	case polymath.Internal:
		f.log.Error("a request of the admin API failed", "method", r.Method, "path", r.URL.Path, "error", err)
		p.Detail = "something went wrong inside the balancer; its log says what"
	case polymath.Unavailable:
		w.Header().Set("Retry-After", retrySeconds)
	}
	problem.Write(w, p)
}
