package forwardtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Framing is how the end of a body is told.
type Framing uint8

// The framings. UntilClose is of answers only.
const (
	Bare       Framing = iota // no body, and no field that speaks of one
	ByLength                  // Content-Length
	ByChunks                  // Transfer-Encoding: chunked
	UntilClose                // the end of the connection
)

// Field is one field of a head or a trailer.
type Field struct{ Name, Value string }

// Exchange is a request, and what the upstream answers to it.
type Exchange struct {
	Name    string
	Method  string
	Target  string
	Version int    // 10 or 11
	Host    string // "" is no Host
	Fields  []Field
	Framing Framing
	Body    []byte
	Trailer []Field

	// Pieces are the sizes the request's bytes are sent in, over and over; nil
	// sends them at once.
	Pieces []int

	Answer Answer
}

// Answer is what the upstream says.
type Answer struct {
	Interim []Interim
	Status  int
	Fields  []Field
	Framing Framing
	Body    []byte
	Trailer []Field
	Pieces  []int // as of Exchange

	Early bool // it is sent before the request's body is read
	Leave bool // the connection ends with it, and says so
	Cut   int  // where not 0, only so many bytes of body are sent before the connection ends

	Raw  string        // where not "", all that is said, before the connection ends
	Gate chan struct{} // where not nil, nothing is said before it is closed
}

// Interim is an answer before the answer: 100, 102 or 103.
type Interim struct {
	Status int
	Fields []Field
}

// caseField names the exchange to the upstream, which looks its answer up.
const caseField = "X-Case"

// bodiless reports whether an answer to this method has no body.
func (e *Exchange) bodiless() bool {
	s := e.Answer.Status
	return e.Method == http.MethodHead || s == 204 || s == 304 || s < 200
}

// closing reports whether the client's connection ends with the exchange.
func (e *Exchange) closing() bool {
	for _, f := range e.Fields {
		if strings.EqualFold(f.Name, "Connection") {
			for option := range strings.SplitSeq(f.Value, ",") {
				if strings.EqualFold(strings.TrimSpace(option), "close") {
					return true
				}
			}
		}
	}
	return e.Version == 10
}

// request is the exchange's request in HTTP/1.
func (e *Exchange) request(id string) []byte {
	var b []byte
	b = fmt.Appendf(b, "%s %s HTTP/%d.%d\r\n", e.Method, e.Target, e.Version/10, e.Version%10)
	if e.Host != "" {
		b = fmt.Appendf(b, "Host: %s\r\n", e.Host)
	}
	b = appendFields(b, e.Fields)
	b = fmt.Appendf(b, "%s: %s\r\n", caseField, id)
	return appendBody(b, e.Framing, e.Body, e.Trailer)
}

// appendBody ends a head and appends a body in a framing.
func appendBody(b []byte, framing Framing, body []byte, trailer []Field) []byte {
	switch framing {
	case Bare, UntilClose:
		return append(append(b, "\r\n"...), body...)
	case ByLength:
		b = fmt.Appendf(b, "Content-Length: %d\r\n\r\n", len(body))
		return append(b, body...)
	}
	if len(trailer) > 0 {
		b = append(b, "Trailer: "...)
		for i, f := range trailer {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(b, f.Name...)
		}
		b = append(b, "\r\n"...)
	}
	b = append(b, "Transfer-Encoding: chunked\r\n\r\n"...)
	for n := 1; len(body) > 0; n = min(n*3+7, 40_000) {
		part := body[:min(n, len(body))]
		body = body[len(part):]
		b = append(strconv.AppendInt(b, int64(len(part)), 16), "\r\n"...)
		b = append(append(b, part...), "\r\n"...)
	}
	b = append(b, "0\r\n"...)
	return append(appendFields(b, trailer), "\r\n"...)
}

func appendFields(b []byte, fields []Field) []byte {
	for _, f := range fields {
		b = fmt.Appendf(b, "%s: %s\r\n", f.Name, f.Value)
	}
	return b
}

// pieces cuts bytes into the sizes given, over and over.
func pieces(b []byte, sizes []int) [][]byte {
	if len(sizes) == 0 {
		return [][]byte{b}
	}
	var out [][]byte
	for i := 0; len(b) > 0; i++ {
		n := min(max(sizes[i%len(sizes)], 1), len(b))
		out = append(out, b[:n])
		b = b[n:]
	}
	return out
}
