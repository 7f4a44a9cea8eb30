package rpc_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/wire"
)

// raw is a stream whose other end says what it likes. The workers it joins live,
// and begin what they are granted, however slow the test is.
type raw struct {
	t       testing.TB
	x       *connect.BidiStreamForClient[polymathv1.Calls, polymathv1.Replies]
	sending sync.Mutex // held while something is sent
	beating sync.WaitGroup
	ctx     context.Context // ends with the test
	number  uint64
	replies map[uint64][]*polymathv1.Reply // not asked for yet
	grants  []*polymathv1.Grant
	closed  map[polymath.Ref]bool
}

// web is a client of HTTP/2, or of HTTP/1.1, for one test.
func web(t testing.TB, two bool) *http.Client {
	var p http.Protocols
	p.SetHTTP1(!two)
	p.SetUnencryptedHTTP2(two)
	c := &http.Client{Transport: &http.Transport{Protocols: &p}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// raw opens a stream that is closed with the test.
func (s *server) raw() *raw {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := polymathv1connect.NewPolymathClient(web(s.t, true), s.url())
	r := &raw{t: s.t, x: c.Exchange(ctx), replies: make(map[uint64][]*polymathv1.Reply), closed: make(map[polymath.Ref]bool), ctx: ctx}
	s.t.Cleanup(func() {
		r.close()
		cancel()
		r.beating.Wait()
		_ = r.x.CloseResponse()
	})
	r.send(&polymathv1.Calls{})
	if _, err := r.x.Receive(); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (r *raw) send(m *polymathv1.Calls) {
	r.t.Helper()
	if err := r.say(m); err != nil {
		r.t.Fatal(err)
	}
}

// say sends a message that the server may not want any more.
func (r *raw) say(m *polymathv1.Calls) error {
	r.sending.Lock()
	defer r.sending.Unlock()
	return r.x.Send(m)
}

// close ends what this end says.
func (r *raw) close() {
	r.sending.Lock()
	defer r.sending.Unlock()
	_ = r.x.CloseRequest()
}

// beat says that a worker lives until the test ends, or the stream.
func (r *raw) beat(session []byte) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for r.say(&polymathv1.Calls{Beats: [][]byte{session}}) == nil {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return
		}
	}
}

// next is a number no call had yet.
func (r *raw) next() uint64 { r.number++; return r.number }

// hear takes one message.
func (r *raw) hear() {
	r.t.Helper()
	m, err := r.x.Receive()
	if err != nil {
		r.t.Fatal(err)
	}
	if n := proto.Size(m); n > wire.MaxMessageBytes {
		r.t.Errorf("a message of %d bytes, more than clients read", n)
	}
	for _, p := range m.GetReplies() {
		r.replies[p.GetCall()] = append(r.replies[p.GetCall()], p)
	}
	for _, g := range m.GetGrants() { // a lease that nobody begins within a second goes back
		r.grants = append(r.grants, g)
		_ = r.say(&polymathv1.Calls{Progress: []*polymathv1.Progress{{Token: g.GetToken()}}})
	}
	for _, c := range m.GetClosed() {
		session, _ := wire.ParseSession(c)
		r.closed[session] = true
	}
}

// reply waits for the reply to a call.
func (r *raw) reply(call uint64) *polymathv1.Reply {
	r.t.Helper()
	for len(r.replies[call]) == 0 {
		r.hear()
	}
	p := r.replies[call][0]
	r.replies[call] = r.replies[call][1:]
	return p
}

// refused wants a call to be refused with a code; 0: not to be.
func (r *raw) refused(what string, call uint64, want polymath.Code) *polymathv1.Reply {
	r.t.Helper()
	p := r.reply(call)
	if err := wire.ParseError(p.GetError()); polymath.CodeOf(err) != want {
		r.t.Errorf("%s: %v, want code %v", what, err, want)
	}
	return p
}

// join opens a session.
func (r *raw) join(functions ...*polymathv1.Declaration) []byte {
	r.t.Helper()
	call := r.next()
	r.send(&polymathv1.Calls{Joins: []*polymathv1.Join{{Call: call, Name: "raw", Functions: functions}}})
	session := r.refused("join", call, 0).GetSession()
	r.beating.Go(func() { r.beat(session) })
	return session
}

// demand asks for leases.
func (r *raw) demand(session []byte, slots uint32, functions ...string) {
	r.t.Helper()
	call := r.next()
	r.send(&polymathv1.Calls{Demands: []*polymathv1.Demand{{
		Call: call, Session: session, Functions: functions, Slots: slots, Micros: 250_000,
	}}})
	r.refused("demand", call, 0)
}

// submit asks for a job.
func (r *raw) submit(function, input string) polymath.JobID {
	r.t.Helper()
	call := r.next()
	r.send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{
		Call: call, Request: &polymathv1.Request{Function: function, Input: []byte(input)},
	}}})
	id, err := polymath.ParseJobID(r.refused("submit", call, 0).GetJob())
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// grant waits for a lease.
func (r *raw) grant() *polymathv1.Grant {
	r.t.Helper()
	for len(r.grants) == 0 {
		r.hear()
	}
	g := r.grants[0]
	r.grants = r.grants[1:]
	return g
}

// report ends a lease.
func (r *raw) report(token []byte, kind polymathv1.Report_Kind, output string) (call uint64) {
	r.t.Helper()
	call = r.next()
	r.send(&polymathv1.Calls{Reports: []*polymathv1.Report{{Call: call, Token: token, Kind: kind, Output: []byte(output), Micros: 1_000_000, Error: "no"}}})
	return call
}

// job asks something about a job and waits for the reply.
func (r *raw) get(id polymath.JobID) *polymathv1.Job {
	r.t.Helper()
	call := r.next()
	r.send(&polymathv1.Calls{Gets: []*polymathv1.JobCall{{Call: call, Job: id.String()}}})
	return r.refused("get", call, 0).GetPicture()
}

// ticket is one that no other test request has.
func ticket(n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("ticket 8"), n)
}

func quoted(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
