package rpc

import (
	"context"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/wire"
)

// Bounds of a stream that took its connection over.
const (
	silenceLimit = 15 * time.Second // a client says something every five
	lingerLimit  = time.Second      // for a client to read why its stream ended
)

// exchange is the two directions of a stream.
type exchange interface {
	// Receive reads a message, which is valid until the next Receive.
	Receive() (*polymathv1.Calls, error)
	Send(m *polymathv1.Replies) error
	// cut lets a Send that hangs fail.
	cut()
	// finish tells the client why the stream ends, and lets Receive fail soon.
	finish(err error)
}

// called is a stream that is a call of Connect, gRPC or gRPC-Web. Its error is
// told by returning it.
type called struct {
	*connect.BidiStream[polymathv1.Calls, polymathv1.Replies]

	control *http.ResponseController
}

// An error of the controller says that the connection knows no deadlines.

func (c called) cut()         { _ = c.control.SetWriteDeadline(time.Unix(1, 0)) }
func (c called) finish(error) { _ = c.control.SetReadDeadline(time.Unix(1, 0)) }

// taken is a stream that took its connection over: it needs a sixth less
// processor time than a call does.
type taken struct{ stream *wire.Stream }

func (t taken) Receive() (*polymathv1.Calls, error) { return t.stream.ReceiveCalls() }

func (t taken) Send(m *polymathv1.Replies) error { return t.stream.Send(m) }
func (t taken) cut()                             { _ = t.stream.Close() }

func (t taken) finish(err error) {
	time.AfterFunc(lingerLimit, t.cut)
	t.stream.LimitSending(lingerLimit)
	_ = t.stream.Send(&polymathv1.Replies{End: wire.Error(err)}) // the client may be gone
	_ = t.stream.CloseSending()
}

// upgrades reports whether a request wants a stream that takes its connection
// over. It must say so in every way there is: what else looks like it may be
// another's on its way through a proxy, and what follows a body.
func upgrades(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == polymathv1connect.PolymathExchangeProcedure &&
		r.ProtoMajor == 1 && r.ProtoMinor >= 1 && r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		names(r.Header["Connection"], "Upgrade") && names(r.Header["Upgrade"], wire.Protocol)
}

// names reports whether a header, a list of words, has one of them.
func names(header []string, word string) bool {
	for _, line := range header {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), word) {
				return true
			}
		}
	}
	return false
}

// upgrade answers such a request.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if err := s.enter(); err != nil {
		refuse(w, r, http.StatusServiceUnavailable, err)
		return
	}
	defer s.leave()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.log.Warn("a connection cannot be taken over", "error", err)
		refuse(w, r, http.StatusInternalServerError, polymath.Errorf(polymath.Internal, "the connection cannot be taken over"))
		return
	}
	defer conn.Close() //nolint:errcheck // what was to be said is said
	_ = conn.SetDeadline(time.Now().Add(writeTimeout))
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.Protocol + "\r\n\r\n")); err != nil {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	ctx := context.WithoutCancel(r.Context()) // which says nothing of the connection any more
	_ = s.serve(ctx, taken{wire.NewStream(conn, buffered.Reader, s.silence)})
}

// enter counts a stream; the error says that there are enough.
func (s *Server) enter() error {
	s.serving.Add(1)
	if s.streams.Add(1) > MaxStreams {
		s.leave()
		return polymath.Errorf(polymath.Overloaded, "%d streams are open, the most this server takes: one is enough for a process", MaxStreams)
	}
	return nil
}

func (s *Server) leave() {
	s.streams.Add(-1)
	s.serving.Done()
}

// Settle returns when no stream is left. Those that took their connection over
// are not http.Server's to wait for; they end with the context of New.
func (s *Server) Settle() { s.serving.Wait() }
