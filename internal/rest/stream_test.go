package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/rest"
)

// tape is a stream that is read on the clock of a test.
type tape struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

// play begins a stream over a network in memory.
func play(t *testing.T, h http.Handler, path string, headers ...string) *tape {
	network := newPipes()
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(network) })
	c := network.dial()
	_, _ = fmt.Fprintf(c, "GET %s HTTP/1.0\r\nHost: x\r\n%s\r\n", path, strings.Join(headers, "\r\n")+"\r\n")
	tp := &tape{t: t, lines: bufio.NewScanner(c)}
	tp.close = func() {
		c.Close()
		server.Close()
		serving.Wait()
	}
	for tp.lines.Scan() && tp.lines.Text() != "" { // the head
	}
	return tp
}

// next is the next thing that is no empty line: "" at the end.
func (tp *tape) next() string {
	for tp.lines.Scan() {
		if line := tp.lines.Text(); line != "" {
			return line
		}
	}
	return ""
}

func (tp *tape) expect(want ...string) {
	tp.t.Helper()
	for _, w := range want {
		if got := tp.next(); !strings.HasPrefix(got, w) {
			tp.t.Errorf("read %q, want %q", got, w)
		}
	}
}

// TestEventsAreCloudEvents (P4).
func TestEventsAreCloudEvents(t *testing.T) {
	r := newRig(t, t.TempDir())
	stream := r.listen("/v1/events")
	r.work(all.Set(true))
	job := r.finished(`{"function":"add","input":{"a":1,"b":2}}`)
	var seen []string
	last := ""
	for {
		e, more := stream.next()
		if !more {
			t.Fatal("the stream ended")
		}
		var c api.Event
		must(t, json.Unmarshal([]byte(e.data), &c))
		if c.ID != e.id || c.Type != e.name || c.SpecVersion != "1.0" || c.Source != "/polymath/shard/0" || c.Time == nil || c.ID == last {
			t.Errorf("%+v of %+v", c, e)
		}
		last = c.ID
		if c.Subject == job.ID {
			seen = append(seen, c.Type)
		} else if c.Data.Worker != "inside" {
			t.Errorf("%+v", c)
		}
		if c.Type == event.JobSucceeded.Type() {
			break
		}
	}
	want := fmt.Sprint([]string{event.JobQueued.Type(), event.JobStarted.Type(), event.JobSucceeded.Type()})
	if fmt.Sprint(seen) != want {
		t.Errorf("heard %v, want %v", seen, want)
	}
}

// TestResumeAfterRestart: a listener goes on where it was, with another
// process, without losing or repeating an event.
func TestResumeAfterRestart(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir)
	stop := r.work(all.Set(true))
	stream := r.listen("/v1/events")
	first := r.finished(`{"function":"add","input":{"a":1,"b":2}}`)
	var last, lost sse
	for lost.name != event.JobSucceeded.Type() {
		last = lost
		lost, _ = stream.next()
	}
	stop()
	r.close()

	r = newRig(t, dir)
	r.work(all.Set(true))
	second := r.finished(`{"function":"add","input":{"a":3,"b":4}}`)
	stream = r.listen("/v1/events", "Last-Event-ID", last.id)
	again, _ := stream.next()
	if again != lost || !strings.Contains(again.data, first.ID) {
		t.Errorf("went on with %+v, want %+v", again, lost)
	}
	for e, more := stream.next(); ; e, more = stream.next() {
		if !more || e.id == lost.id {
			t.Fatalf("%+v, %v", e, more)
		}
		if e.name == event.JobSucceeded.Type() && strings.Contains(e.data, second.ID) {
			break
		}
	}
}

// TestFollowJob: one hears of the job what happens, and the stream ends with it.
func TestFollowJob(t *testing.T) {
	r := newRig(t, t.TempDir())
	job := get[api.Job](t, r.do("POST", "/v1/jobs", `{"function":"sleep","input":{"units":20,"duration":"40ms"}}`), http.StatusAccepted)
	stream := r.listen("/v1/jobs/" + job.ID + "/events")
	r.work(all.Set(true))
	var names []string
	var last api.Progressed
	id := ""
	for e, more := stream.next(); more; e, more = stream.next() {
		if e.name != api.EventProgress {
			names = append(names, e.name)
			id = e.id
			continue
		}
		must(t, json.Unmarshal([]byte(e.data), &last))
		if e.id != "" {
			t.Errorf("progress has the id %s", e.id)
		}
	}
	if want := fmt.Sprint([]string{event.JobStarted.Type(), event.JobSucceeded.Type()}); fmt.Sprint(names) != want {
		t.Errorf("heard %v, want %v", names, want)
	}
	if last.State != "succeeded" || last.Done != 20 {
		t.Errorf("at last %+v", last)
	}
	if a := r.do("GET", "/v1/jobs/"+job.ID+"/events", "", "Last-Event-ID", id); a.status != http.StatusNoContent {
		t.Errorf("after its end: %d %s", a.status, a.body)
	}
	stream = r.listen("/v1/jobs/" + job.ID + "/events")
	if e, more := stream.next(); !more || e.name != api.EventProgress || !strings.Contains(e.data, "succeeded") {
		t.Errorf("of a finished job: %+v", e)
	}
	if e, more := stream.next(); more {
		t.Errorf("and then %+v", e)
	}
	stream = r.listen("/v1/jobs/"+job.ID+"/events", "Last-Event-ID", "0:0.0:0")
	names = nil
	for e, more := stream.next(); more; e, more = stream.next() {
		names = append(names, e.name)
	}
	if len(names) != 3 || names[0] != event.JobQueued.Type() {
		t.Errorf("from the beginning: %v", names)
	}
}

// late is a Listener at which something happens whenever there is no news.
type late struct {
	rest.Listener
	happen func()
}

// Next implements rest.Listener.
func (l late) Next(ctx context.Context, after event.ID) (event.Batch, error) {
	b, err := l.Listener.Next(ctx, after)
	if err != nil {
		l.happen()
	}
	return b, err
}

// latecomer is a fake whose events are heard late.
type latecomer struct {
	*fake
	listener rest.Listener
}

// Events implements rest.State.
func (l latecomer) Events() rest.Listener { return l.listener }

// TestLastEventIsNotLost: a job that finishes just after nothing was heard of
// it, and before it is looked at, is not only seen to be over: its end is told.
func TestLastEventIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
		var once sync.Once
		listener := late{b.hub, func() { once.Do(func() { b.finish(id, "3") }) }}
		tp := play(t, rest.New(latecomer{b, listener}, rest.Options{}), "/v1/jobs/"+id.String()+"/events")
		defer tp.close()
		tp.expect(": hello", "event: progress", "data: ", "event: progress", "data: ", "event: run.polymath.job.succeeded.v1", "id: ", "data: ")
		if more := tp.next(); more != "" {
			t.Errorf("and then %q", more)
		}
	})
}

// TestLastEventMayBeGone: where retention took the end of a job, its stream
// ends all the same.
func TestLastEventMayBeGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
		tp := play(t, rest.New(latecomer{b, deafListener{}}, rest.Options{}), "/v1/jobs/"+id.String()+"/events")
		defer tp.close()
		tp.expect(": hello", "event: progress", "data: ")
		b.finish(id, "3")
		tp.expect("event: progress", "data: ")
		if more := tp.next(); more != "" {
			t.Errorf("and then %q", more)
		}
	})
}

// deafListener hears nothing.
type deafListener struct{}

// Last implements rest.Listener.
func (deafListener) Last() event.ID { return event.ID{} }

// Next implements rest.Listener.
func (deafListener) Next(ctx context.Context, _ event.ID) (event.Batch, error) {
	<-ctx.Done()
	return event.Batch{}, ctx.Err()
}

// TestHeadOfAStream ends: nobody reads what follows.
func TestHeadOfAStream(t *testing.T) {
	a := handle(t.Context(), rest.New(newFake(), rest.Options{}), "HEAD", "/v1/events", "")
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestHeartbeat(t *testing.T) {
	for _, path := range []string{"/v1/events", "/v1/jobs/%v/events"} {
		synctest.Test(t, func(t *testing.T) {
			b := newFake()
			id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
			tp := play(t, rest.New(b, rest.Options{}), strings.Replace(path, "%v", id.String(), 1))
			defer tp.close()
			begin := time.Now()
			tp.expect(": hello")
			if strings.Contains(path, "%v") {
				tp.expect("event: progress", "data: ")
			}
			tp.expect(":")
			if took := time.Since(begin); took < 15*time.Second || took > 15*time.Second+250*time.Millisecond {
				t.Errorf("%s: a sign of life after %v", path, took)
			}
		})
	}
}

// TestProgressIsSeldom: at most four times a second, however fast the job is.
func TestProgressIsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
		other := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
		ctx, stop := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		busy.Go(func() {
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-ctx.Done():
					tick.Stop()
					return
				case <-tick.C:
					b.advance(id)
					b.mu.Lock()
					b.publish(event.JobDead, other, "add") // of another job: it must not hurry this stream
					b.mu.Unlock()
				}
			}
		})
		tp := play(t, rest.New(b, rest.Options{}), "/v1/jobs/"+id.String()+"/events")
		defer tp.close()
		tp.expect(": hello", "event: progress", "data: ")
		begin := time.Now()
		for range 8 {
			tp.expect("event: progress", "data: ")
		}
		if took := time.Since(begin); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("eight took %v", took)
		}
		stop()
		busy.Wait()
	})
}

func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newFake()
		for range 3 {
			old.Submit(t.Context(), "", []api.Submit{{Function: "add"}})
		}
		first, second := old.log.events[0].ID, old.log.events[1].ID
		old.log.gone = second
		tp := play(t, rest.New(fakeOver(old.log), rest.Options{}), "/v1/events?after="+first.String())
		defer tp.close()
		tp.expect(": hello", "event: gap", "data: {}", "event: run.polymath.job.queued.v1", "id: "+old.log.last().String(), "data: ")
	})
}

// TestReaderThatNeverReads holds its place for ten seconds, and no longer.
func TestReaderThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake()
		network := newPipes()
		server := &http.Server{Handler: rest.NewBounded(b, 1, 1)}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(network) })
		deaf := network.dial()
		_, _ = fmt.Fprint(deaf, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		ask := func() reply { return handle(t.Context(), server.Handler, "GET", "/v1/events", "") }
		problem(t, ask(), http.StatusServiceUnavailable, polymath.Overloaded, "1 event streams")
		<-time.After(9 * time.Second) // on the clock of the bubble
		problem(t, ask(), http.StatusServiceUnavailable, polymath.Overloaded, "1 event streams")
		<-time.After(2 * time.Second)
		synctest.Wait()
		b.hub.Close() // lets the next one end at once
		if a := ask(); a.status != http.StatusOK {
			t.Errorf("the place is still taken: %d %s", a.status, a.body)
		}
		deaf.Close()
		server.Close()
		serving.Wait()
	})
}
