// Package rpc is the face of a server over Connect, gRPC and gRPC-Web: single
// calls, which are plain HTTP with JSON too, and one stream for all calls of a
// process.
//
//	Calls ──> stream.take ──> node.Do: all of them in one batch
//	                             │ told later, with the node in hand
//	Replies <── writer <── outbox ── gathers while the last message is sent
//
// The stream is a call as well, or, for our own client, takes its connection
// over. It is what makes a job cheap: while one message is on the wire, or
// one entry on its way to the disk, all that is asked for meanwhile gathers
// into the next.
package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/service"
	"github.com/polymath-run/polymath/internal/wire"
)

// Bounds of the calls.
const (
	MaxStreams = 1_000
	maxWait    = 60 * time.Second // of one Wait
)

// Server answers the calls. It is safe for concurrent use.
type Server struct {
	service *service.Service
	log     *slog.Logger
	streams atomic.Int64
	serving sync.WaitGroup  // streams, too
	ending  context.Context // ends all streams
	asked   []*asked        // to be used again; with the node in hand

	writeLimit  time.Duration // writeTimeout, but for tests
	silence     time.Duration // silenceLimit, but for tests
	unsentLimit int           // maxUnsentBytes, but for tests
	bodyLimit   time.Duration // bodyLimit, but for tests
}

// New makes a server whose streams end with ctx.
func New(ctx context.Context, s *service.Service, log *slog.Logger) *Server {
	return &Server{
		service: s, log: log, ending: ctx,
		writeLimit: writeTimeout, silence: silenceLimit, unsentLimit: maxUnsentBytes, bodyLimit: bodyLimit,
	}
}

// Streams is how many streams are open.
func (s *Server) Streams() int64 { return s.streams.Load() }

// Handler returns the path that the calls are below, and their handler.
func (s *Server) Handler() (path string, h http.Handler) {
	path, calls := polymathv1connect.NewPolymathHandler(s, connect.WithReadMaxBytes(wire.MaxMessageBytes),
		connect.WithCodec(jsonCodec{"json"}), connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
		connect.WithInterceptors(connect.UnaryInterceptorFunc(arrived)),
		connect.WithCompression("gzip", nil, nil)) // small messages at a high rate: it costs more than the wire
	return path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if upgrades(r) {
			s.upgrade(w, r)
			return
		}
		control := http.NewResponseController(w)
		streams := r.ProtoMajor >= 2 && r.URL.Path == polymathv1connect.PolymathExchangeProcedure
		if !streams {
			s.hurry(w, r, control)
		}
		switch {
		case !isCall(r.URL.Path):
			refuse(w, r, http.StatusNotFound, polymath.Errorf(polymath.NotFound,
				"there is no call at this path: there are Submit, Get, Wait, Cancel and Exchange"))
		case !streams && r.URL.Path == polymathv1connect.PolymathExchangeProcedure:
			refuse(w, r, http.StatusHTTPVersionNotSupported, polymath.Errorf(polymath.InvalidArgument,
				"a stream needs HTTP/2, or to upgrade to %s; the single calls work over HTTP/1.1", wire.Protocol))
		default:
			calls.ServeHTTP(w, r.WithContext(withController(r.Context(), control)))
		}
	})
}

// Submit implements the call.
func (s *Server) Submit(ctx context.Context, r *connect.Request[polymathv1.SubmitRequest]) (*connect.Response[polymathv1.SubmitResponse], error) {
	requests := r.Msg.GetRequests()
	if len(requests) > service.MaxJobsACall {
		return nil, fault(polymath.Errorf(polymath.TooLarge, "%d jobs in a call are more than %d: send several calls", len(requests), service.MaxJobsACall))
	}
	if len(requests) == 0 { // a field of another name is ignored, and was perhaps meant
		return nil, fault(polymath.Errorf(polymath.InvalidArgument, `there is nothing to submit: give a list of "requests"`))
	}
	outcomes := make([]*polymathv1.Outcome, len(requests))
	told := make(chan struct{}, len(requests))
	specs := make([]prepared, len(requests))
	for i, q := range requests {
		specs[i] = s.prepare(q)
	}
	s.service.Node().Do(func(b *node.Batch) {
		for i := range specs {
			specs[i].enter(b, func(a ledger.Answer) {
				outcomes[i] = s.outcome(a)
				told <- struct{}{}
			})
		}
	})
	for range specs {
		if err := s.hear(ctx, told); err != nil {
			return nil, err
		}
	}
	return connect.NewResponse(&polymathv1.SubmitResponse{Outcomes: outcomes}), nil
}

// hear waits to be told something once.
func (s *Server) hear(ctx context.Context, told <-chan struct{}) error {
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return fault(polymath.Errorf(polymath.Timeout, "gave up waiting; what was asked for may still happen: %w", ctx.Err()))
	case <-s.service.Node().Failed():
		return fault(errStopped())
	}
}

// errStopped is what is said when the node cannot go on.
func errStopped() error {
	return polymath.Errorf(polymath.Unavailable, "the node stopped: what was asked for may or may not have happened")
}

func (s *Server) outcome(a ledger.Answer) *polymathv1.Outcome {
	if a.Err != nil {
		return &polymathv1.Outcome{Error: s.refusal(a.Err)}
	}
	return &polymathv1.Outcome{Job: s.service.Node().JobID(a.Ref).String(), Existing: a.Existing}
}

// Get implements the call.
func (s *Server) Get(_ context.Context, r *connect.Request[polymathv1.GetRequest]) (*connect.Response[polymathv1.Job], error) {
	id, err := polymath.ParseJobID(r.Msg.GetJob())
	if err != nil {
		return nil, fault(err)
	}
	return s.read(id)
}

func (s *Server) read(id polymath.JobID) (*connect.Response[polymathv1.Job], error) {
	job, working, err := s.service.Node().Job(id)
	if err != nil {
		return nil, fault(err)
	}
	return connect.NewResponse(s.picture(&job, working)), nil
}

// Wait implements the call.
func (s *Server) Wait(ctx context.Context, r *connect.Request[polymathv1.WaitRequest]) (*connect.Response[polymathv1.Job], error) {
	id, err := polymath.ParseJobID(r.Msg.GetJob())
	if err != nil {
		return nil, fault(err)
	}
	if err := s.service.BeginWait(); err != nil {
		return nil, fault(err)
	}
	defer s.service.EndWait()
	limit := maxWait
	if n := r.Msg.GetSeconds(); n > 0 {
		limit = min(limit, time.Duration(n)*time.Second)
	}
	waiting, stop := context.WithTimeout(ctx, limit)
	defer stop()
	job, err := s.service.Node().Wait(waiting, id)
	switch {
	case err == nil:
		return connect.NewResponse(s.picture(&job, 0)), nil
	case polymath.CodeOf(err) == polymath.Timeout && ctx.Err() == nil:
		return s.read(id)
	default:
		return nil, fault(err)
	}
}

// Cancel implements the call.
func (s *Server) Cancel(ctx context.Context, r *connect.Request[polymathv1.CancelRequest]) (*connect.Response[polymathv1.CancelResponse], error) {
	id, err := polymath.ParseJobID(r.Msg.GetJob())
	if err == nil {
		err = s.service.Node().Cancel(ctx, id)
	}
	if err != nil {
		return nil, fault(err)
	}
	return connect.NewResponse(&polymathv1.CancelResponse{}), nil
}

// fault is an error as Connect carries it. The code of ours travels in the
// header of the error, too.
func fault(err error) error {
	if theirs, ok := errors.AsType[*connect.Error](err); ok { // of a message that cannot be read
		return theirs
	}
	e := connect.NewError(connectCode(polymath.CodeOf(err)), errors.New(wire.Error(err).GetMessage()))
	e.Meta().Set("Polymath-Code", polymath.CodeOf(err).String())
	return e
}

func connectCode(c polymath.Code) connect.Code {
	switch c {
	case polymath.InvalidArgument, polymath.UnsupportedMedia, polymath.TooLarge:
		return connect.CodeInvalidArgument
	case polymath.Unauthenticated:
		return connect.CodeUnauthenticated
	case polymath.PermissionDenied:
		return connect.CodePermissionDenied
	case polymath.NotFound, polymath.Gone:
		return connect.CodeNotFound
	case polymath.Conflict, polymath.StaleToken:
		return connect.CodeFailedPrecondition
	case polymath.KeyReused:
		return connect.CodeAlreadyExists
	case polymath.RateLimited, polymath.Overloaded:
		return connect.CodeResourceExhausted
	case polymath.Unavailable:
		return connect.CodeUnavailable
	case polymath.Timeout:
		return connect.CodeDeadlineExceeded
	default:
		return connect.CodeInternal
	}
}
