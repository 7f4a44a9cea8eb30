package forwardtest

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/guard"
)

// beside is the path before the suite's upstream and a further one, which the
// Director takes first where its turn is 0.
func (s *suite) beside(t *testing.T) (n *suite, bad *Server) {
	bad = NewServer(t, s.path.Behind, s.id)
	n = s.other(t, forward.Options{}, s.server.Upstream, bad.Upstream)
	return n, bad
}

// unavailable is an answer that is not the last word.
func unavailable(e *Exchange, framing Framing, body []byte) *Exchange {
	c := *e
	c.Answer = Answer{Status: 503, Framing: framing, Body: body, Fields: []Field{{"X-Bad", "1"}}, Leave: framing == UntilClose}
	return &c
}

// doubted answers are thrown away where another upstream answers (D5, G22).
func (s *suite) doubted(t *testing.T) {
	n, bad := s.beside(t)
	asked := 0
	n.director.Again = func(_ *forward.Exchange, r forward.Result) bool {
		asked++
		return r.Kind == forward.Answered && r.Status == 503 && r.Latency > 0
	}
	c := n.client()
	defer c.Close()
	large := bytes.Repeat([]byte("b"), 50_000)
	requests := []*Exchange{
		get("GET", asIs), get("HEAD", func(e *Exchange) { e.Method = "HEAD" }),
		post("PUT", []byte("hello"), ByLength, func(e *Exchange) { e.Method = "PUT" }),
		post("PUT in chunks", []byte("hello"), ByChunks, func(e *Exchange) { e.Method = "PUT" }),
		post("large PUT", large, ByLength, func(e *Exchange) { e.Method = "PUT" }),
		post("PUT in pieces", large, ByChunks, func(e *Exchange) { e.Method, e.Pieces = "PUT", []int{7_001} }),
		post("keyed POST", []byte("once"), ByLength, func(e *Exchange) { e.Fields = []Field{{"Idempotency-Key", "k"}} }),
	}
	i := 0
	for _, e := range requests {
		for _, a := range []struct {
			framing Framing
			body    []byte
			pieces  []int
		}{
			{ByLength, []byte("down"), nil}, {ByLength, nil, nil}, {ByChunks, []byte("down"), nil}, {UntilClose, []byte("down"), nil},
			{ByLength, bytes.Repeat([]byte("d"), 300_000), nil}, {ByChunks, []byte("down in pieces"), []int{40, 3}},
		} {
			i++
			id := fmt.Sprintf("doubted-%d", i)
			not := unavailable(e, a.framing, a.body)
			not.Answer.Pieces = a.pieces
			first := bad.expect(id, not)
			n.director.turn.Store(0)
			told, seen, err := ask(c, s.server, e, id)
			if err != nil {
				t.Fatalf("%s, framing %d: %v", e.Name, a.framing, err)
			}
			if told.Status != 200 || told.Fields.Get("X-Bad") != "" || e.Method != http.MethodHead && string(told.Body) != "answer" {
				t.Errorf("%s, framing %d: answered %d %v %s", e.Name, a.framing, told.Status, told.Fields, clip(told.Body))
			}
			if was := <-first.seen; !bytes.Equal(was.Body, e.Body) || !bytes.Equal(seen.Body, e.Body) {
				t.Errorf("%s: the upstreams got %s and %s", e.Name, clip(was.Body), clip(seen.Body))
			}
			bad.forget(id)
		}
	}
	n.director.Settled(t)
	if got := n.director.Count(forward.Answered); got != 2*i || asked != i {
		t.Errorf("%d attempts were answered and %d answers asked about, with %d exchanges", got, asked, i)
	}
	s.reusedBehind(t, n, bad)
	s.hedgeDoubted(t)
}

// reusedBehind holds that the connection of a small answer that is thrown away
// goes on.
func (s *suite) reusedBehind(t *testing.T, n *suite, bad *Server) {
	if s.path.http2Behind() {
		return // it is a stream's
	}
	const exchanges, most = 20, 5 // an answer may come in two pieces now and then
	c := n.client()
	defer c.Close()
	before := bad.Accepted.Load()
	for i := range exchanges {
		id := fmt.Sprintf("again-%d", i)
		bad.expect(id, unavailable(get(id, asIs), ByLength, []byte("down")))
		n.director.turn.Store(0)
		if told, _, err := ask(c, s.server, get(id, asIs), id); err != nil || told.Status != 200 {
			t.Fatalf("%+v, %v", told, err)
		}
		bad.forget(id)
	}
	if got := bad.Accepted.Load() - before; got > most {
		t.Errorf("%d answers that were thrown away cost %d connections", exchanges, got)
	}
}

// hedgeDoubted holds that a doubted answer does not win against an attempt that
// is under way, and that nobody is asked about it.
func (s *suite) hedgeDoubted(t *testing.T) {
	n, bad := s.beside(t)
	n.director.After = func(*forward.Exchange) time.Duration { return time.Millisecond }
	n.director.Again = func(_ *forward.Exchange, r forward.Result) bool {
		t.Errorf("asked about %+v with another attempt under way", r)
		return false
	}
	c := n.client()
	defer c.Close()
	slow := get("hedged", func(e *Exchange) { e.Answer.Gate = make(chan struct{}) })
	run := bad.expect("hedged", unavailable(slow, ByLength, []byte("down")))
	defer bad.forget("hedged")
	go func() {
		<-run.seen // so the other is gone past, whoever was asked first
		n.director.Counted(t, forward.Answered, 1)
		close(slow.Answer.Gate)
	}()
	n.director.turn.Store(1) // the one that is slow is asked first
	told, _, err := ask(c, s.server, slow, "hedged")
	if err != nil {
		t.Fatal(err)
	}
	if told.Status != 200 || string(told.Body) != "answer" {
		t.Errorf("answered %d %s", told.Status, clip(told.Body))
	}
	n.director.Settled(t)
	if got := n.director.Count(forward.Answered); got != 2 {
		t.Errorf("%d attempts were answered, not 2", got)
	}
}

// doubtedPassedOn are answers that the client gets as they are.
func (s *suite) doubtedPassedOn(t *testing.T) {
	const yes, no = true, false
	for _, c := range []struct {
		name     string
		change   func(e *Exchange)
		again    bool // what the Director says
		nobody   bool // and then has
		asked    int
		attempts int
	}{
		{"the Director says no", asIs, no, false, 1, 1},
		{"nobody is left", asIs, yes, true, 1, 1},
		{"every attempt", asIs, yes, false, forward.MaxAttempts - 1, forward.MaxAttempts},
		{"told once", func(e *Exchange) { e.Method, e.Framing, e.Body = "POST", ByLength, []byte("hello") }, yes, false, 0, 1},
		{"too large to be kept", func(e *Exchange) {
			e.Method, e.Framing, e.Body = "PUT", ByLength, bytes.Repeat([]byte("x"), 2*forward.MaxReplay)
		}, yes, false, 0, 1},
		{"another status", func(e *Exchange) { e.Answer.Status = 501 }, yes, false, 0, 1},
		{"behind an interim answer", func(e *Exchange) { e.Answer.Interim = []Interim{{103, []Field{{"Link", "</a>"}}}} }, yes, false, 0, 1},
	} {
		n := s.other(t, forward.Options{}, s.server.Upstream)
		asked := 0
		n.director.Again = func(*forward.Exchange, forward.Result) bool {
			asked++
			return c.again
		}
		n.director.Nobody = func(x *forward.Exchange) bool { return c.nobody && x.Attempts > 0 }
		client := n.client()
		e := unavailable(get(c.name, asIs), ByChunks, []byte("down"))
		c.change(e)
		for i := range 3 { // the connection lasts
			id := fmt.Sprintf("passed-%d", i)
			run := s.server.expect(id, e)
			told, err := client.Do(e, id)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if told.Status != e.Answer.Status || told.Fields.Get("X-Bad") != "1" || string(told.Body) != "down" || len(told.Interim) != len(e.Answer.Interim) {
				t.Errorf("%s: answered %d %v %s after %v", c.name, told.Status, told.Fields, clip(told.Body), told.Interim)
			}
			if got := len(run.seen); got != c.attempts {
				t.Errorf("%s: %d upstreams were asked, not %d", c.name, got, c.attempts)
			}
			s.server.forget(id)
		}
		client.Close()
		n.director.Settled(t)
		if asked != 3*c.asked || n.director.Count(forward.Answered) != 3*c.attempts {
			t.Errorf("%s: asked %d times and answered %d times, not %d and %d", c.name,
				asked, n.director.Count(forward.Answered), 3*c.asked, 3*c.attempts)
		}
	}
}

// deadline tells each upstream how long is left when it is asked, in place of
// what the client said (G22).
func (s *suite) deadline(t *testing.T) {
	const whole, pause = 15 * time.Second, 40 * time.Millisecond
	n, bad := s.beside(t)
	field := "X-Request-Timeout"
	timed := true
	n.director.Again = func(*forward.Exchange, forward.Result) bool { return true }
	n.director.Refuse = func(x *forward.Exchange) *forward.Refusal {
		x.TimeoutField = field
		if timed {
			x.Deadline = x.Begun + whole
		}
		return nil
	}
	c := n.client()
	defer c.Close()
	left := func(seen *Seen, what string) time.Duration {
		values := seen.Fields[field]
		if len(values) != 1 {
			t.Fatalf("%s: %s is %q", what, field, values)
		}
		d, ok := guard.ParseTimeout(values[0])
		if !ok || d <= 0 || d > whole {
			t.Fatalf("%s: %s is %q, with %v for all", what, field, values, whole)
		}
		return d
	}
	for i, fields := range [][]Field{nil, {{field, "90"}}, {{"x-request-timeout", "1"}, {"X-After", "1"}, {"X-REQUEST-TIMEOUT", "soon"}}} {
		id := fmt.Sprintf("deadline-%d", i)
		e := post(id, []byte("hello"), ByLength, func(e *Exchange) { e.Method, e.Fields = "PUT", fields })
		not := unavailable(e, ByLength, []byte("down"))
		not.Answer.Gate = make(chan struct{})
		run := bad.expect(id, not)
		first := make(chan Seen, 1)
		go func() {
			first <- <-run.seen
			<-time.After(pause)
			close(not.Answer.Gate)
		}()
		n.director.turn.Store(0)
		told, seen, err := ask(c, s.server, e, id)
		if err != nil || told.Status != 200 {
			t.Fatalf("%+v, %v", told, err)
		}
		was := <-first
		before, after := left(&was, "first"), left(seen, "second")
		if before-after < pause {
			t.Errorf("the first upstream was told that %v are left, and the second, %v later, %v", before, pause, after)
		}
		if len(fields) > 1 && seen.Fields.Get("X-After") != "1" {
			t.Errorf("a field between those that are replaced is lost: %v", seen.Fields)
		}
		bad.forget(id)
	}
	s.deadlineForms(t, n, c, &field, &timed)
}

// deadlineForms holds the form gRPC has, and what is left alone.
func (s *suite) deadlineForms(t *testing.T, n *suite, c Client, field *string, timed *bool) {
	last := func(id, value string) []string {
		n.director.turn.Store(1)
		e := get(id, func(e *Exchange) { e.Fields = []Field{{*field, value}} })
		_, seen, err := ask(c, s.server, e, id)
		if err != nil {
			t.Fatal(err)
		}
		return seen.Fields[*field]
	}
	*timed = false
	if got := last("timeless", "90"); !slices.Equal(got, []string{"90"}) {
		t.Errorf("without a deadline the client's %q became %q", "90", got)
	}
	*timed, *field = true, "Grpc-Timeout"
	got := last("grpc", "90S")
	if len(got) != 1 || got[0][len(got[0])-1] != 'u' {
		t.Fatalf("gRPC is told %q", got)
	}
	if n, err := strconv.Atoi(got[0][:len(got[0])-1]); err != nil || n <= 0 || n > 15_000_000 {
		t.Errorf("gRPC is told %q of 15 seconds", got)
	}
	n.director.Settled(t)
}
