package forward

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/balance/http1"
)

// Failure is the answer to a request whose last attempt ended so, and which no
// upstream has answered.
func Failure(k Kind) *Refusal {
	switch k {
	case Unreached:
		return &Refusal{
			Status: http.StatusServiceUnavailable, Header: "Retry-After: 1\r\n", Title: "no upstream can be reached",
			Detail: "no connection to an upstream came about; look at its address and whether it runs",
		}
	case Late:
		return &Refusal{
			Status: http.StatusGatewayTimeout, Title: "the upstream did not answer in time",
			Detail: "the request was sent and no answer came in time; it may have had an effect",
		}
	default:
		return &Refusal{
			Status: http.StatusBadGateway, Title: "the upstream gave no usable answer",
			Detail: "its connection ended, or what came was no HTTP; the request may have had an effect",
		}
	}
}

// Nobody is the answer when Pick has nobody.
func Nobody() *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Header: "Retry-After: 1\r\n", Title: "no upstream is available",
		Detail: "every upstream is down, draining or busy; try again later",
	}
}

// Expired is the answer when the deadline of an exchange has passed.
func Expired() *Refusal {
	return &Refusal{
		Status: http.StatusGatewayTimeout, Title: "the deadline has passed",
		Detail: "no answer came before the deadline of the request; it may have had an effect",
	}
}

// Malformed is the answer to what is no request.
func Malformed(why http1.Reason) *Refusal {
	status := why.Status()
	return &Refusal{Status: status, Title: "not a request that is taken here", Detail: why.String()}
}

// Slow is the answer to a request that did not come in time.
func Slow() *Refusal {
	return &Refusal{
		Status: http.StatusRequestTimeout, Title: "the request did not come in time",
		Detail: "it was begun and not ended in time; send it again",
	}
}

// Short is the answer when there is nothing left to make a connection of.
func Short() *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Header: "Retry-After: 1\r\n", Title: "the balancer has too few descriptors",
		Detail: "as many connections are open as it may have: raise its limit of open files (ulimit -n), or lower limits.connections",
	}
}

// code is the product's word for the status of a refusal.
func (r *Refusal) code() polymath.Code {
	switch r.Status {
	case http.StatusUnauthorized:
		return polymath.Unauthenticated
	case http.StatusForbidden:
		return polymath.PermissionDenied
	case http.StatusNotFound:
		return polymath.NotFound
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge, http.StatusRequestURITooLong:
		return polymath.TooLarge
	case http.StatusTooManyRequests:
		return polymath.RateLimited
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return polymath.Timeout
	case http.StatusInternalServerError:
		return polymath.Internal
	}
	if r.Status >= http.StatusInternalServerError {
		return polymath.Unavailable
	}
	return polymath.InvalidArgument
}

// refusalText is a refusal as it is written.
type refusalText struct {
	head []byte // without what is said of the connection, and the empty line
	body []byte
}

// written gives the text of a refusal, which is made when it is first used.
func (r *Refusal) written() *refusalText {
	if t, ok := r.text.Load().(*refusalText); ok {
		return t
	}
	t := r.write()
	r.text.Store(t) // who made it at the same time made the same
	return t
}

func (r *Refusal) write() *refusalText {
	code := r.code()
	body, err := json.Marshal(&api.Problem{
		Type: code.Problem(), Title: r.Title, Status: r.Status, Detail: r.Detail, Code: code.String(),
	})
	if err != nil {
		panic("forward: a problem cannot be written: " + err.Error()) // it is strings and a number
	}
	t := &refusalText{body: append(body, '\n')}
	t.head = strconv.AppendInt([]byte("HTTP/1.1 "), int64(r.Status), 10)
	t.head = append(append(append(t.head, ' '), http.StatusText(r.Status)...), "\r\n"...)
	t.head = append(append(t.head, "Content-Type: "...), api.ProblemType...)
	t.head = append(t.head, "\r\nX-Content-Type-Options: nosniff\r\nContent-Length: "...)
	t.head = append(strconv.AppendInt(t.head, int64(len(t.body)), 10), "\r\n"...)
	t.head = append(t.head, r.Header...)
	return t
}

// Body is the problem+json of a refusal, with a line's end. It is not to be
// changed.
func (r *Refusal) Body() []byte { return r.written().body }

// Append appends the whole answer as HTTP/1.1. The answer to a HEAD has no body;
// closing tells the client that its connection ends.
func (r *Refusal) Append(dst []byte, head, closing bool) []byte {
	t := r.written()
	dst = append(dst, t.head...)
	if closing {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, "\r\n"...)
	if head {
		return dst
	}
	return append(dst, t.body...)
}

// refusals are those that a forwarder itself has use for.
type refusals struct {
	failures  [Abandoned]*Refusal // by kind; Abandoned is nobody's to be told
	malformed [http1.Reasons]*Refusal
	nobody    *Refusal
	expired   *Refusal
	slow      *Refusal
	short     *Refusal
	ending    *Refusal
}

func newRefusals() *refusals {
	r := &refusals{nobody: Nobody(), expired: Expired(), slow: Slow(), short: Short(), ending: &Refusal{
		Status: http.StatusServiceUnavailable, Title: "the balancer is ending", Detail: "ask again: another may answer",
	}}
	for k := range r.failures {
		r.failures[k] = Failure(Kind(k))
	}
	for why := range r.malformed {
		r.malformed[why] = Malformed(http1.Reason(why))
	}
	return r
}

// failure is Failure.
func (r *refusals) failure(k Kind) *Refusal {
	if k >= Abandoned {
		return r.failures[Broken]
	}
	return r.failures[k]
}
