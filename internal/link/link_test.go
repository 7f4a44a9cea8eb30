package link

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/wire"
	"github.com/polymath-run/polymath/internal/worker"
)

// someJob is the id of a job, as a server writes it.
func someJob(n uint64) polymath.JobID {
	return polymath.JobID{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: n}}}
}

func submissions(n int) func(*polymathv1.Calls) bool {
	return func(m *polymathv1.Calls) bool { return len(m.GetSubmissions()) >= n }
}

// TestResend: what is not answered is asked again in the next stream, in its
// order and once; what was answered is not.
func TestResend(t *testing.T) {
	p := newPeer(t)
	l, first := p.dial(Options{})
	tickets := NewTickets()
	var requests []*polymathv1.Request
	for i := range 50 {
		requests = append(requests, &polymathv1.Request{Function: fmt.Sprint(i), Ticket: tickets.Append(nil)})
	}
	type result struct {
		outcomes []Outcome
		err      error
	}
	done := make(chan result, 1)
	go func() {
		o, err := l.Submit(t.Context(), requests)
		done <- result{o, err}
	}()
	asked := first.hear(submissions(50)).GetSubmissions()
	var answers polymathv1.Replies
	for i, s := range asked[:20] {
		answers.Replies = append(answers.Replies, &polymathv1.Reply{Call: s.GetCall(), Job: someJob(uint64(i)).String()})
	}
	first.say(&answers)
	first.cut()
	second := p.accept()
	again := second.hear(submissions(30)).GetSubmissions()
	if len(again) != 30 {
		t.Fatalf("%d of 30 calls are asked again", len(again))
	}
	answers.Replies = nil
	for i, s := range again {
		if want := asked[20+i]; s.GetCall() != want.GetCall() || string(s.GetRequest().GetTicket()) != string(want.GetRequest().GetTicket()) {
			t.Errorf("call %d is asked again as %d", want.GetCall(), s.GetCall())
		}
		answers.Replies = append(answers.Replies, &polymathv1.Reply{Call: s.GetCall(), Job: someJob(uint64(20 + i)).String(), Existing: i == 0})
	}
	slices.Reverse(answers.Replies)
	answers.Replies = append(answers.Replies, answers.Replies[0], &polymathv1.Reply{Call: 999_999})
	second.say(&answers)
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	for i, o := range r.outcomes {
		if o.Err != nil || o.Job != someJob(uint64(i)) || o.Existing != (i == 20) {
			t.Errorf("request %d: %+v", i, o)
		}
	}
}

// TestRefusedAfterResend: a refusal in a second stream says nothing of what
// became of the request in the first one.
func TestRefusedAfterResend(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	for _, code := range []polymath.Code{polymath.Overloaded, polymath.Unavailable, polymath.InvalidArgument} {
		for _, broke := range []bool{false, true} {
			done := make(chan []Outcome, 1)
			go func() {
				o, _ := l.Submit(t.Context(), []*polymathv1.Request{{Function: "f"}})
				done <- o
			}()
			s := e.hear(submissions(1)).GetSubmissions()
			if broke {
				e.cut()
				e = p.accept()
				s = e.hear(submissions(1)).GetSubmissions()
			}
			e.say(&polymathv1.Replies{Replies: []*polymathv1.Reply{{Call: s[0].GetCall(), Error: wire.Error(polymath.Errorf(code, "nothing was changed"))}}})
			err := (<-done)[0].Err
			unknown := broke && code != polymath.InvalidArgument
			if unknown != strings.Contains(err.Error(), "may or may not") || unknown && polymath.CodeOf(err) != polymath.Unavailable {
				t.Errorf("%v, broken %v: %v", code, broke, err)
			}
		}
	}
}

// TestPoison: what no server can take is refused here: it would break the
// stream again and again, and everybody's calls with it.
func TestPoison(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	requests := []*polymathv1.Request{
		{Function: "f", Input: make([]byte, 5<<20)},
		{Function: strings.Repeat("f", 5<<20)},
		{Function: "f", Key: strings.Repeat("k", 5<<20)},
		{Function: "\xff"}, {Function: "f", Key: "\xff"}, {Function: "f", Tenant: "\xff"}, {Function: "f", Queue: "\xff"},
		{Function: "good"},
	}
	done := make(chan []Outcome, 1)
	go func() {
		o, err := l.Submit(t.Context(), requests)
		if err != nil {
			t.Error(err)
		}
		done <- o
	}()
	s := e.hear(submissions(1)).GetSubmissions()
	if len(s) != 1 || s[0].GetRequest().GetFunction() != "good" {
		t.Fatalf("%d requests were sent", len(s))
	}
	e.say(&polymathv1.Replies{Replies: []*polymathv1.Reply{{Call: s[0].GetCall(), Job: someJob(1).String()}}})
	for i, o := range <-done {
		want := polymath.InvalidArgument
		switch {
		case i < 3:
			want = polymath.TooLarge
		case i == len(requests)-1:
			want = 0
		}
		if polymath.CodeOf(o.Err) != want {
			t.Errorf("request %d: %v", i, o.Err)
		}
	}
}

// TestTooManyPending: a bound that says so, and frees what was given up.
func TestTooManyPending(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	e.cut()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	most := make([]*polymathv1.Request, MaxPending)
	for i := range most {
		most[i] = &polymathv1.Request{}
	}
	go func() {
		_, err := l.Submit(ctx, most)
		done <- err
	}()
	for {
		l.mu.Lock()
		full := len(l.pending) == MaxPending
		l.mu.Unlock()
		if full {
			break
		}
	}
	if _, err := l.Submit(t.Context(), most[:1]); polymath.CodeOf(err) != polymath.Overloaded {
		t.Errorf("one more: %v", err)
	}
	cancel()
	if err := <-done; polymath.CodeOf(err) != polymath.Timeout {
		t.Errorf("given up: %v", err)
	}
	l.mu.Lock()
	left := len(l.pending)
	l.mu.Unlock()
	if left != 0 {
		t.Errorf("%d calls are left", left)
	}
	if _, err := l.Submit(t.Context(), slices.Concat(most, most[:1])); polymath.CodeOf(err) != polymath.TooLarge {
		t.Errorf("more than there may ever be: %v", err)
	}
	if o, err := l.Submit(t.Context(), nil); err != nil || len(o) != 0 {
		t.Errorf("nothing: %v, %v", o, err)
	}
}

// TestClose: what waits fails, and so does what comes.
func TestClose(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	done := make(chan error, 1)
	go func() {
		_, err := l.Wait(t.Context(), someJob(1))
		done <- err
	}()
	e.hear(func(m *polymathv1.Calls) bool { return len(m.GetWaits()) > 0 })
	l.Close()
	l.Close()
	if err := <-done; polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("waiting: %v", err)
	}
	if _, err := l.Get(t.Context(), someJob(1)); polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

// TestForget: a wait that was given up is taken back at the server, and its
// late answer hurts nobody.
func TestForget(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := l.Wait(ctx, someJob(1))
		done <- err
	}()
	call := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetWaits()) > 0 }).GetWaits()[0].GetCall()
	cancel()
	if err := <-done; polymath.CodeOf(err) != polymath.Timeout {
		t.Error(err)
	}
	if f := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetForgotten()) > 0 }).GetForgotten(); !slices.Equal(f, []uint64{call}) {
		t.Errorf("forgotten %v, want %d", f, call)
	}
	e.say(&polymathv1.Replies{Replies: []*polymathv1.Reply{{Call: call}}})
}

// TestNobodyThere: dialing says why it failed.
func TestNobodyThere(t *testing.T) {
	for _, url := range []string{"", "ftp://x", "http://", "http://x/path", "http://x?q=1", ":", "x:1"} {
		if _, err := Dial(t.Context(), url, Options{}); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := Dial(t.Context(), "http://127.0.0.1:1", Options{}); polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("a port nobody listens on: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, "http://127.0.0.1:1", Options{}); polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("given up: %v", err)
	}
}

// events is a worker's mailbox that the test reads.
type events chan worker.Event

func (e events) post(v worker.Event) { e <- v }

// apply plays the next n events to a loop with a seat that notes nothing.
func (e events) apply(t *testing.T, l *worker.Loop, n int) {
	t.Helper()
	for range n {
		select {
		case v := <-e:
			v.Apply(l)
		case <-t.Context().Done():
			t.Fatal("no event came")
		}
	}
}

// idle is a runner that never finishes, and counts what it was given.
type idle struct {
	started, stopped int
	task             *worker.Task // the newest
}

func (r *idle) Start(t *worker.Task) worker.Work {
	r.started++
	r.task = t
	return r
}

func (r *idle) Stop() bool {
	r.stopped++
	return true
}

func (*idle) Progress() (uint64, bool) { return 0, true }

// sit joins a worker at a peer.
func sit(t *testing.T, l *Link, e *end, session polymath.Ref) (*worker.Loop, *idle, events) {
	t.Helper()
	box := make(events, 100)
	joined := make(chan worker.Seat, 1)
	go func() {
		seat, err := (&Host{link: l}).Join(t.Context(), "w", box.post)
		if err != nil {
			t.Error(err)
		}
		joined <- seat
	}()
	j := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetJoins()) > 0 }).GetJoins()[0]
	if len(j.GetSession()) != 0 || j.GetName() != "w" {
		t.Errorf("joined by %v", j)
	}
	e.say(&polymathv1.Replies{Replies: []*polymathv1.Reply{{Call: j.GetCall(), Session: wire.Session(session)}}})
	runner := &idle{}
	loop := worker.NewLoop(worker.Config{Functions: []string{"f"}, Parallel: 1, Each: time.Second, Runner: runner, Now: func() time.Duration { return 0 }})
	loop.Sit(<-joined)
	e.hear(func(m *polymathv1.Calls) bool { return len(m.GetDemands()) > 0 })
	return loop, runner, box
}

// TestSeats: a worker keeps its session over streams, and its calls of the
// stream that broke fail, to be sent again by itself.
func TestSeats(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	session := polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 7}}
	loop, runner, box := sit(t, l, e, session)
	grant := new(wire.Slab).Grant(session, &polymath.Lease{Token: polymath.Token{Ref: session}, Job: someJob(1), Function: "f", Interval: polymath.Interval{To: 1}})
	e.say(&polymathv1.Replies{Grants: []*polymathv1.Grant{grant, {Session: []byte("x")}, {Session: grant.GetSession()}}})
	box.apply(t, loop, 1)
	if runner.started != 1 {
		t.Errorf("%d leases began", runner.started)
	}
	e.cut()
	box.apply(t, loop, 1) // the demand failed
	e = p.accept()
	joins := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetJoins()) > 0 }).GetJoins()
	if len(joins) != 1 || string(joins[0].GetSession()) != string(wire.Session(session)) {
		t.Fatalf("%d joins: %v", len(joins), joins)
	}
	e.say(&polymathv1.Replies{Grants: []*polymathv1.Grant{grant}, Replies: []*polymathv1.Reply{{Call: joins[0].GetCall()}}})
	box.apply(t, loop, 1)
	if runner.started != 1 || runner.stopped != 0 {
		t.Errorf("%d leases began, %d were stopped", runner.started, runner.stopped)
	}
	e.say(&polymathv1.Replies{Retired: []*polymathv1.Retired{{Session: grant.GetSession(), Token: grant.GetToken()}}})
	box.apply(t, loop, 1)
	if runner.stopped != 1 {
		t.Error("the lease that is over goes on")
	}
}

// TestSeatsThatAreLost: whatever the reason for which a session cannot be taken
// up again, its worker hears that it is over; it would wait for ever.
func TestSeatsThatAreLost(t *testing.T) {
	for _, code := range []polymath.Code{
		polymath.NotFound, polymath.Conflict, polymath.Overloaded, polymath.InvalidArgument, polymath.PermissionDenied, polymath.Internal,
	} {
		t.Run(code.String(), func(t *testing.T) {
			p := newPeer(t)
			l, e := p.dial(Options{})
			loop, _, box := sit(t, l, e, polymath.Ref{Index: polymath.Index{Position: 1}})
			e.cut()
			box.apply(t, loop, 1) // the demand
			e = p.accept()
			j := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetJoins()) > 0 }).GetJoins()[0]
			e.say(&polymathv1.Replies{Replies: []*polymathv1.Reply{{Call: j.GetCall(), Error: wire.Error(polymath.Errorf(code, "no"))}}})
			box.apply(t, loop, 1)
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.seats) != 0 {
				t.Error("the seat is still there")
			}
		})
	}
}

// TestGrantsBeforeReplies: a lease told again, whose completion is answered in
// the same message, is not begun anew: what is granted was said first.
func TestGrantsBeforeReplies(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	session := polymath.Ref{Index: polymath.Index{Epoch: 1, Position: 7}}
	loop, runner, box := sit(t, l, e, session)
	token := polymath.Token{Ref: session}
	grant := new(wire.Slab).Grant(session, &polymath.Lease{Token: token, Job: someJob(1), Function: "f", Interval: polymath.Interval{To: 1}})
	e.say(&polymathv1.Replies{Grants: []*polymathv1.Grant{grant}})
	box.apply(t, loop, 1)
	loop.Done(runner.task, worker.Outcome{Output: []byte("1")})
	r := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetReports()) > 0 }).GetReports()[0]
	e.say(&polymathv1.Replies{Grants: []*polymathv1.Grant{grant}, Replies: []*polymathv1.Reply{{Call: r.GetCall()}}})
	box.apply(t, loop, 2)
	if runner.started != 1 {
		t.Error("a lease that is over began again")
	}
}

// TestBadWorkers: what no server could read never leaves.
func TestBadWorkers(t *testing.T) {
	p := newPeer(t)
	l, e := p.dial(Options{})
	loop, runner, box := sit(t, l, e, polymath.Ref{Index: polymath.Index{Position: 1}})
	token := polymath.Token{}
	e.say(&polymathv1.Replies{Grants: []*polymathv1.Grant{new(wire.Slab).Grant(polymath.Ref{Index: polymath.Index{Position: 1}},
		&polymath.Lease{Token: token, Job: someJob(1), Function: "f", Interval: polymath.Interval{To: 1}})}})
	box.apply(t, loop, 1)
	loop.Done(runner.task, worker.Outcome{Err: fmt.Errorf("bytes \xff\xfe that are no text%s", strings.Repeat("ä", 2000))})
	r := e.hear(func(m *polymathv1.Calls) bool { return len(m.GetReports()) > 0 }).GetReports()[0]
	if r.GetKind() != polymathv1.Report_FAIL || !strings.Contains(r.GetError(), "that are no text") {
		t.Errorf("%v", r)
	}
	w := Work{Server: p.url, Name: "\xff", Functions: function.NewSet()}
	if err := w.Run(t.Context()); polymath.CodeOf(err) != polymath.InvalidArgument {
		t.Errorf("a worker without a proper name: %v", err)
	}
}

// TestCloseClosesAll: a connection that is in use when the link is closed is
// closed as well.
func TestCloseClosesAll(t *testing.T) {
	p := newPeer(t)
	l, _ := p.dial(Options{})
	answer, err := l.Web().Get(p.url + "/forever")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	l.Close()
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the answer has an end")
	}
}
