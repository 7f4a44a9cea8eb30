// Package problem answers HTTP requests that failed with a problem of RFC 9457,
// the requests that no handler was asked for as well.
package problem

import (
	"encoding/json"
	"net/http"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// New makes a problem of a status and a text.
func New(r *http.Request, status int, detail string) *api.Problem {
	code := codeOf(status)
	return &api.Problem{
		Type: code.Problem(), Code: code.String(), Status: status, Title: http.StatusText(status),
		Detail: detail, Instance: r.URL.Path,
	}
}

// codeOf is the code of an error that only has a status.
func codeOf(status int) polymath.Code {
	switch status {
	case http.StatusNotFound:
		return polymath.NotFound
	case http.StatusRequestEntityTooLarge:
		return polymath.TooLarge
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return polymath.UnsupportedMedia
	case http.StatusForbidden:
		return polymath.PermissionDenied
	case http.StatusRequestTimeout:
		return polymath.Timeout
	}
	if status >= http.StatusInternalServerError {
		return polymath.Internal
	}
	return polymath.InvalidArgument
}

// Write answers with a problem.
func Write(w http.ResponseWriter, p *api.Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		panic("problem: it cannot be written: " + err.Error()) // it is strings and a number
	}
	h := w.Header()
	h.Set("Content-Type", api.ProblemType)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // nobody is there to hear of a failure
}

// Unrouted makes a problem of what a mux says by the handler it has for a
// request that fits none of its patterns. list says where there is something.
func Unrouted(w http.ResponseWriter, r *http.Request, handler http.Handler, list string) {
	said := &status{header: http.Header{}}
	handler.ServeHTTP(said, r)
	switch said.code {
	case http.StatusMethodNotAllowed:
		allow := said.header.Get("Allow")
		w.Header().Set("Allow", allow)
		Write(w, New(r, said.code, r.Method+" is not for this path: use "+allow))
	case http.StatusNotFound:
		Write(w, New(r, said.code, "there is nothing at this path: "+list))
	default:
		handler.ServeHTTP(w, r)
	}
}

// status is a ResponseWriter that keeps the status and headers alone.
type status struct {
	header http.Header
	code   int
}

// Header implements http.ResponseWriter.
func (s *status) Header() http.Header { return s.header }

// Write implements http.ResponseWriter.
func (*status) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (s *status) WriteHeader(code int) { s.code = code }
