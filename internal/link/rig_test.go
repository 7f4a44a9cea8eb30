package link

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a server of one method, which does what the test says.
type peer struct {
	polymathv1connect.UnimplementedPolymathHandler
	t       *testing.T
	url     string
	streams chan *end
}

// end is the server's end of one stream. The test plays it.
type end struct {
	t      *testing.T
	x      *connect.BidiStream[polymathv1.Calls, polymathv1.Replies]
	broken chan struct{}
	once   sync.Once
}

func (p *peer) Exchange(ctx context.Context, x *connect.BidiStream[polymathv1.Calls, polymathv1.Replies]) error {
	e := &end{t: p.t, x: x, broken: make(chan struct{})}
	select {
	case p.streams <- e:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-e.broken:
	case <-ctx.Done():
	}
	return nil
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, streams: make(chan *end)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // which says that it does not upgrade
	protocols.SetUnencryptedHTTP2(true)
	mux := http.NewServeMux()
	mux.Handle(polymathv1connect.NewPolymathHandler(p, connect.WithReadMaxBytes(wire.MaxMessageBytes)))
	mux.HandleFunc("GET /forever", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	web := &http.Server{Handler: mux, Protocols: &protocols}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	t.Cleanup(func() {
		_ = web.Close()
		serving.Wait()
	})
	p.url = "http://" + listener.Addr().String()
	return p
}

// accept takes the next stream and lets it stand.
func (p *peer) accept() *end {
	p.t.Helper()
	select {
	case e := <-p.streams:
		e.say(&polymathv1.Replies{})
		return e
	case <-p.t.Context().Done():
		p.t.Fatal("no stream came")
		return nil
	}
}

// dial connects a link to the peer.
func (p *peer) dial(o Options) (*Link, *end) {
	p.t.Helper()
	var l *Link
	var err error
	dialed := make(chan struct{})
	go func() {
		defer close(dialed)
		l, err = Dial(p.t.Context(), p.url, o)
	}()
	e := p.accept()
	<-dialed
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(l.Close)
	return l, e
}

func (e *end) say(m *polymathv1.Replies) {
	e.t.Helper()
	if err := e.x.Send(m); err != nil {
		e.t.Fatal(err)
	}
}

// hear gathers calls until they are enough.
func (e *end) hear(enough func(*polymathv1.Calls) bool) *polymathv1.Calls {
	e.t.Helper()
	all := &polymathv1.Calls{}
	for !enough(all) {
		m, err := e.x.Receive()
		if err != nil {
			e.t.Fatal(err)
		}
		all.Submissions = append(all.Submissions, m.GetSubmissions()...)
		all.Gets = append(all.Gets, m.GetGets()...)
		all.Waits = append(all.Waits, m.GetWaits()...)
		all.Cancels = append(all.Cancels, m.GetCancels()...)
		all.Forgotten = append(all.Forgotten, m.GetForgotten()...)
		all.Joins = append(all.Joins, m.GetJoins()...)
		all.Demands = append(all.Demands, m.GetDemands()...)
		all.Beats = append(all.Beats, m.GetBeats()...)
		all.Progress = append(all.Progress, m.GetProgress()...)
		all.Reports = append(all.Reports, m.GetReports()...)
		all.Leaves = append(all.Leaves, m.GetLeaves()...)
	}
	return all
}

// cut ends the stream.
func (e *end) cut() { e.once.Do(func() { close(e.broken) }) }
