package rpc_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/wire"
	loop "github.com/polymath-run/polymath/internal/worker"
	"github.com/polymath-run/polymath/worker"
)

func greet() *polymathv1.Declaration {
	return &polymathv1.Declaration{Name: "greet", Kind: "call", Reducer: "collect"}
}

// TestIdleStreamStands: a stream on which nothing is said for longer than a
// message may take is not broken for that.
func TestIdleStreamStands(t *testing.T) {
	s := start(t, t.TempDir(), "")
	const limit = time.Second
	s.calls.Bound(limit, 1<<20)
	lost := make(chan error, 1)
	c, err := client.Dial(t.Context(), s.url(), client.Options{Lost: func(err error) { lost <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case err := <-lost:
		t.Errorf("the stream broke: %v", err)
	case <-time.After(2 * limit): // a stream that stands too short shows by then
	}
}

// TestStoppedNode: when the node cannot go on, nobody waits for it in vain.
func TestStoppedNode(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.join(greet())
	calls := polymathv1connect.NewPolymathClient(web(t, true), s.url())
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.node.Failed()
	for {
		_, err := r.x.Receive()
		if err == nil {
			continue
		}
		if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "the node stopped") {
			t.Errorf("the stream: %v", err)
		}
		break
	}
	if _, err := client.Dial(t.Context(), s.url(), client.Options{}); polymath.CodeOf(err) != polymath.Unavailable || !strings.Contains(err.Error(), "the node stopped") {
		t.Errorf("a new stream: %v", err)
	}
	a, err := calls.Submit(t.Context(), connect.NewRequest(&polymathv1.SubmitRequest{Requests: []*polymathv1.Request{{Function: "greet"}}}))
	if err == nil { // the journal refused it before the node had quite stopped
		err = wire.ParseError(a.Msg.GetOutcomes()[0].GetError())
	}
	if connect.CodeOf(err) != connect.CodeUnavailable && polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("a call: %v", err)
	}
	s.broken = true
}

// TestStreamWithDeadline: a client that gives its stream a time is told.
func TestStreamWithDeadline(t *testing.T) {
	s := start(t, t.TempDir(), "")
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	x := polymathv1connect.NewPolymathClient(web(t, true), s.url()).Exchange(ctx)
	x.RequestHeader().Set("Connect-Timeout-Ms", "100")
	if err := x.Send(&polymathv1.Calls{}); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := x.Receive()
		if err == nil {
			continue
		}
		if connect.CodeOf(err) != connect.CodeDeadlineExceeded || !strings.Contains(err.Error(), "no deadline") {
			t.Errorf("%v", err)
		}
		break
	}
	_ = x.CloseRequest()
	_ = x.CloseResponse()
}

// TestSilentReader: what waits for a client that reads nothing is bounded,
// and after a while the client is let go.
func TestSilentReader(t *testing.T) {
	s := start(t, t.TempDir(), "")
	good := s.raw()
	good.join(greet())
	id := good.submit("greet", `{"a": "`+strings.Repeat("x", 60_000)+`"}`)
	s.calls.Bound(300*time.Millisecond, 64<<10)
	r := s.raw()
	ask := &polymathv1.Calls{}
	for range 100 {
		ask.Gets = append(ask.Gets, &polymathv1.JobCall{Call: r.next(), Job: id.String()})
	}
	for {
		if err := r.say(ask); err != nil {
			break // the server let go
		}
	}
	for {
		if _, err := r.x.Receive(); err != nil {
			break
		}
	}
	waitFor(t, s, func() bool { return s.calls.Streams() == 1 })
}

// waitFor waits for something the node's next steps bring about.
func waitFor(t testing.TB, s *server, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it never came about")
		}
	}
}

// TestStrangersLeases: no worker touches what another holds, and what is over
// is over (fencing).
func TestStrangersLeases(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r, other := s.raw(), s.raw()
	session := r.join(greet())
	r.demand(session, 1, "greet")
	id := r.submit("greet", `{}`)
	g := r.grant()
	other.refused("complete another's", other.report(g.GetToken(), polymathv1.Report_COMPLETE, `"mine"`), polymath.PermissionDenied)
	other.refused("fail another's", other.report(g.GetToken(), polymathv1.Report_FAIL, ""), polymath.PermissionDenied)
	other.refused("release another's", other.report(g.GetToken(), polymathv1.Report_RELEASE, ""), polymath.PermissionDenied)
	r.refused("a kind of report there is not", r.report(g.GetToken(), 7, ""), polymath.InvalidArgument)
	foreign := append([]byte{9}, g.GetToken()[1:]...)
	r.refused("a token of another shard", r.report(foreign, polymathv1.Report_COMPLETE, `"x"`), polymath.StaleToken)
	r.refused("no token", r.report([]byte("short"), polymathv1.Report_COMPLETE, `"x"`), polymath.InvalidArgument)
	demand, leave := other.next(), other.next()
	other.send(&polymathv1.Calls{
		Demands:  []*polymathv1.Demand{{Call: demand, Session: session, Functions: []string{"greet"}, Slots: 5}},
		Leaves:   []*polymathv1.Leave{{Call: leave, Session: session}},
		Beats:    [][]byte{session, []byte("x")},
		Progress: []*polymathv1.Progress{{Token: g.GetToken(), Done: 1}, {Token: []byte("x")}, {}},
	})
	other.refused("demand for another", demand, polymath.NotFound)
	other.refused("leave for another", leave, polymath.NotFound)
	r.refused("complete", r.report(g.GetToken(), polymathv1.Report_COMPLETE, `"hello"`), 0)
	r.refused("complete twice", r.report(g.GetToken(), polymathv1.Report_COMPLETE, `"again"`), polymath.StaleToken)
	if job := r.get(id); job.GetState() != "succeeded" || string(job.GetAnswer()) != `"hello"` {
		t.Errorf("%v", job)
	}
}

// TestBoastfulWorker: a worker that reports more units than it holds makes no
// job look more than done.
func TestBoastfulWorker(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(&polymathv1.Declaration{Name: "f", Kind: "range", Reducer: "sum", Micros: 1_000_000}), 2, "f")
	id := r.submit("f", `{"to": 9}`)
	for range 2 {
		r.send(&polymathv1.Calls{Progress: []*polymathv1.Progress{{Token: r.grant().GetToken(), Done: 1<<63 + 5}}})
	}
	if job := r.get(id); job.GetWorking() > job.GetUnits()-job.GetDone() {
		t.Errorf("%v", job)
	}
	cancel := r.next()
	r.send(&polymathv1.Calls{Cancels: []*polymathv1.JobCall{{Call: cancel, Job: id.String()}}})
	r.refused("cancel", cancel, 0)
}

// TestLocalSeatsAreNotForStreams: the worker in the node's own process cannot
// be talked out of its seat.
func TestLocalSeatsAreNotForStreams(t *testing.T) {
	s := start(t, t.TempDir(), "")
	joined := make(chan polymath.Ref, 1)
	s.node.Do(func(b *node.Batch) {
		b.Join("remote", &node.Route{Post: func(polymath.Ref, node.SeatEvent) {}}, func(r polymath.Ref, _ error) { joined <- r })
	})
	remote := <-joined
	seat, err := s.node.Join(t.Context(), "local", func(loop.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		left := make(chan error, 1)
		seat.Leave(func(err error) { left <- err })
	}()
	r := s.raw()
	taken := 0
	for position := uint64(0); position < remote.Index.Position+20; position++ {
		for ordinal := range uint32(4) {
			ref := polymath.Ref{Index: polymath.Index{Epoch: remote.Index.Epoch, Position: position}, Ordinal: ordinal}
			call := r.next()
			s.node.Do(func(b *node.Batch) { _ = b.Beat(remote) }) // it lives, however long this takes
			r.send(&polymathv1.Calls{Joins: []*polymathv1.Join{{Call: call, Name: "x", Session: wire.Session(ref)}}})
			if p := r.reply(call); p.GetError() == nil {
				taken++
			}
		}
	}
	if taken != 1 {
		t.Errorf("%d sessions were taken up, want only the remote one", taken)
	}
}

// TestGarbageOutput: what is no output of its reducer is a failure like any
// other, and the job ends with a dead letter (W9).
func TestGarbageOutput(t *testing.T) {
	for _, d := range []*polymathv1.Declaration{
		{Name: "f", Kind: "range", Reducer: "count"},
		{Name: "f", Kind: "range", Reducer: "sum"},
		{Name: "f", Kind: "range", Reducer: "min"},
		{Name: "f", Kind: "range", Reducer: "max"},
		{Name: "f", Kind: "list", Reducer: "collect"},
		{Name: "f", Kind: "call", Reducer: "collect"},
	} {
		t.Run(d.GetKind()+" "+d.GetReducer(), func(t *testing.T) {
			s := start(t, t.TempDir(), "")
			r := s.raw()
			session := r.join(d)
			r.demand(session, 4, "f")
			input := `{"from": 0, "to": 3}`
			if d.GetKind() == "list" {
				input = `{"items": [1, 2, 3, 4]}`
			}
			submit := r.next()
			r.send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Call: submit, Request: &polymathv1.Request{
				Function: "f", Input: []byte(input), Attempts: 1,
			}}}})
			id := r.refused("submit", submit, 0).GetJob()
			wait := r.next()
			r.send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{{Call: wait, Job: id}}})
			garbage := []string{"\xff\x00garbage", strings.Repeat("9", 5000), strings.Repeat("x", polymath.MaxInlineBytes+1), "-", "1e9", "{"}
			for n := 0; len(r.replies[wait]) == 0; n++ {
				for _, g := range r.grants {
					r.report(g.GetToken(), polymathv1.Report_COMPLETE, garbage[n%len(garbage)])
				}
				r.grants = nil
				r.hear()
			}
			job := r.reply(wait).GetPicture()
			if job.GetError() == nil || len(job.GetAnswer()) > 0 {
				t.Errorf("garbage became an answer: %v", job)
			}
		})
	}
}

// TestOutputOfTheLargestSize is taken, one byte more is a failure.
func TestOutputOfTheLargestSize(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet")
	id := r.submit("greet", `{}`)
	value := quoted(strings.Repeat("x", polymath.MaxInlineBytes-2))
	r.refused("the largest", r.report(r.grant().GetToken(), polymathv1.Report_COMPLETE, value), 0)
	if job := r.get(id); string(job.GetAnswer()) != value {
		t.Errorf("an answer of %d bytes, %v", len(job.GetAnswer()), job.GetError())
	}
}

// TestCallNumbers: a number used twice, waits forgotten, waits without number.
func TestCallNumbers(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet")
	id := r.submit("greet", `{}`)
	g := r.grant()
	wait := &polymathv1.JobCall{Call: 77, Job: id.String()}
	r.send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{wait, wait}})
	r.refused("the second wait", 77, polymath.InvalidArgument)
	report := r.next()
	r.send(&polymathv1.Calls{
		Forgotten: []uint64{77, 77, 12345},
		Reports:   []*polymathv1.Report{{Call: report, Token: g.GetToken(), Output: []byte("1")}},
	})
	r.refused("report", report, 0)
	if len(r.replies[77]) != 0 {
		t.Error("a wait that was forgotten is answered")
	}
	r.send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{wait}, Forgotten: []uint64{77}}) // answered before it is forgotten
	if p := r.refused("the third", 77, 0); p.GetPicture().GetState() != "succeeded" {
		t.Errorf("%v", p)
	}
}

// TestTooManyWaits: one more than there may be is refused, and those of a
// stream that ends are free again.
func TestTooManyWaits(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.join(greet())
	id := r.submit("greet", `{}`)
	const most = 10_000
	m := &polymathv1.Calls{}
	for range most + 1 {
		m.Waits = append(m.Waits, &polymathv1.JobCall{Call: r.next(), Job: id.String()})
	}
	r.send(m)
	r.refused("one too many", r.number, polymath.Overloaded)
	call := r.next()
	r.send(&polymathv1.Calls{Forgotten: []uint64{m.GetWaits()[5].GetCall()}, Cancels: []*polymathv1.JobCall{{Call: call, Job: "nonsense"}}})
	r.refused("cancel nonsense", call, polymath.InvalidArgument)
	second := r.next()
	r.send(&polymathv1.Calls{Waits: []*polymathv1.JobCall{{Call: second, Job: id.String()}}})
	cancel := r.next()
	r.send(&polymathv1.Calls{Cancels: []*polymathv1.JobCall{{Call: cancel, Job: id.String()}}})
	r.refused("cancel", cancel, 0)
	r.refused("the wait in the free place", second, 0)
	for range most {
		if err := s.service.BeginWait(); err != nil {
			t.Fatalf("places of waits were lost: %v", err)
		}
	}
}

// TestTickets: the same one leads to the same job, with another request it is
// refused, and none at all is none.
func TestTickets(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.join(greet())
	ask := func(q *polymathv1.Request) *polymathv1.Reply {
		call := r.next()
		r.send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Call: call, Request: q}}})
		return r.reply(call)
	}
	first := ask(&polymathv1.Request{Function: "greet", Input: []byte(`{"a":1}`), Ticket: ticket(1)})
	again := ask(&polymathv1.Request{Function: "greet", Input: []byte(`{"a":1}`), Ticket: ticket(1)})
	if first.GetJob() == "" || first.GetExisting() || again.GetJob() != first.GetJob() || !again.GetExisting() {
		t.Errorf("%v, then %v", first, again)
	}
	for what, q := range map[string]*polymathv1.Request{
		"key_reused":       {Function: "greet", Input: []byte(`{"a":2}`), Ticket: ticket(1)},
		"invalid_argument": {Function: "greet", Input: []byte(`{"a":2}`), Ticket: make([]byte, 16)},
	} {
		if p := ask(q); p.GetError().GetCode() != what {
			t.Errorf("%v, want %s", p, what)
		}
	}
	if p := ask(nil); p.GetError().GetCode() != "invalid_argument" {
		t.Errorf("a submission without a request: %v", p)
	}
}

// TestLargeMessages: one that is too large ends its stream with a word, and
// nobody else's.
func TestLargeMessages(t *testing.T) {
	s := start(t, t.TempDir(), "")
	good, bad := s.raw(), s.raw()
	good.join(greet())
	_ = bad.x.Send(&polymathv1.Calls{Submissions: []*polymathv1.Submission{{Request: &polymathv1.Request{Input: make([]byte, wire.MaxMessageBytes+1)}}}})
	for {
		_, err := bad.x.Receive()
		if err == nil {
			continue
		}
		if connect.CodeOf(err) != connect.CodeResourceExhausted {
			t.Errorf("%v", err)
		}
		break
	}
	good.submit("greet", `{}`)
}

// TestCrowdedMessages: one that asks for very much in few bytes ends its stream
// with a word; as much as a stream may owe and more is answered.
func TestCrowdedMessages(t *testing.T) {
	s := start(t, t.TempDir(), "")
	good, bad := s.raw(), s.raw()
	_ = bad.x.Send(&polymathv1.Calls{Beats: make([][]byte, 300_000), Forgotten: make([]uint64, 300_000)})
	for {
		_, err := bad.x.Receive()
		if err == nil {
			continue
		}
		if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), "600000 things") {
			t.Errorf("%v", err)
		}
		break
	}
	s.heard(good.join(greet()))
	id := good.submit("greet", `{}`)
	m := &polymathv1.Calls{Forgotten: make([]uint64, 70_000)}
	for range 70_000 {
		m.Submissions = append(m.Submissions, &polymathv1.Submission{Call: good.next(), Request: &polymathv1.Request{Function: "greet"}})
	}
	good.send(m)
	taken := 0
	for _, sub := range m.GetSubmissions() {
		switch p := good.reply(sub.GetCall()); p.GetError().GetCode() {
		case "":
			taken++
		case "overloaded":
		default:
			t.Fatal(p)
		}
	}
	if taken == 0 || taken == len(m.GetSubmissions()) {
		t.Errorf("%d of %d were taken", taken, len(m.GetSubmissions()))
	}
	if job := good.get(id); job.GetState() != "queued" {
		t.Errorf("%v", job)
	}
}

// heard has a session heard of until the test ends, also while one message of its
// stream is read for longer than a worker may be silent.
func (s *server) heard(session []byte) {
	s.t.Helper()
	ref, err := wire.ParseSession(session)
	if err != nil {
		s.t.Fatal(err)
	}
	s.work(func(ctx context.Context) error {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.node.Do(func(b *node.Batch) { _ = b.Beat(ref) })
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// TestTooManyStreams: those who are one too many are told.
func TestTooManyStreams(t *testing.T) {
	s := start(t, t.TempDir(), "")
	s.calls.Open(1_000)
	if _, err := client.Dial(t.Context(), s.url(), client.Options{}); err == nil || !strings.Contains(err.Error(), "1000 streams") {
		t.Errorf("%v", err)
	}
	s.calls.Open(-1_000)
	s.dial()
}

// TestStreamNeedsHTTP2: a client that speaks HTTP/1.1 is told in words.
func TestStreamNeedsHTTP2(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url()+"/polymath.v1.Polymath/Exchange", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/connect+proto")
	answer, err := web(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusHTTPVersionNotSupported || !strings.Contains(string(text), "HTTP/2") {
		t.Errorf("%s: %q", answer.Status, text)
	}
}

// TestCallsAfterTheEnd: a client that closes its half in the middle of calls
// leaves nothing behind.
func TestCallsAfterTheEnd(t *testing.T) {
	s := start(t, t.TempDir(), "")
	r := s.raw()
	r.demand(r.join(greet()), 1, "greet")
	m := &polymathv1.Calls{}
	for range 1000 {
		m.Submissions = append(m.Submissions, &polymathv1.Submission{Call: r.next(), Request: &polymathv1.Request{Function: "greet"}})
		m.Joins = append(m.Joins, &polymathv1.Join{Call: r.next(), Name: "late"})
	}
	r.send(m)
	r.close()
	waitFor(t, s, func() bool { return s.calls.Streams() == 0 })
	c := s.dial()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- worker.Run(ctx, worker.Options{Server: s.url()}, worker.Call("greet", func(context.Context, json.RawMessage) (any, error) { return 1, nil }))
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for {
		answer, err := c.Run(t.Context(), client.Request{Function: "greet"})
		if err == nil && string(answer) == "1" {
			return
		}
		if polymath.CodeOf(err) != polymath.NotFound {
			t.Fatal(string(answer), err)
		}
	}
}
