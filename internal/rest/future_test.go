package rest_test

import (
	"net/http"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/event"
	"github.com/polymath-run/polymath/internal/rest"
)

// TestEventsOfTheFuture: who resumes after an event that has not happened here,
// as with a server that was restored from a backup, is told of a gap and hears
// what comes; one of another server is refused.
func TestEventsOfTheFuture(t *testing.T) {
	const future = "0:7.1:0"
	b := newFake()
	s := serve(t, b, rest.Options{})
	id := b.Submit(t.Context(), "", []api.Submit{{Function: "add"}})[0].ID
	newest := b.log.last().String()
	all := s.on(t).listen("/v1/events", "Last-Event-ID", future)
	one := s.on(t).listen("/v1/jobs/" + id.String() + "/events?after=" + future)
	for what, stream := range map[string]*events{"all": all, "one": one} {
		if e, more := stream.next(); !more || e.name != "gap" || e.id != newest {
			t.Errorf("%s: %+v, want a gap up to %s", what, e, newest)
		}
	}
	b.finish(id, "1")
	if e, more := all.next(); !more || e.name != event.JobSucceeded.Type() {
		t.Errorf("after the gap: %+v", e)
	}
	for e, more := one.next(); e.name != event.JobSucceeded.Type(); e, more = one.next() {
		if !more {
			t.Fatal("the stream of the job ended before the job")
		}
	}
	over := s.on(t).listen("/v1/jobs/" + id.String() + "/events?after=" + future)
	for _, want := range []string{"gap", "progress"} {
		if e, more := over.next(); !more || e.name != want {
			t.Errorf("of a finished job: %+v, want %s", e, want)
		}
	}
	if e, more := over.next(); more {
		t.Errorf("the stream of a finished job goes on with %+v", e)
	}
	for _, path := range []string{"/v1/events", "/v1/jobs/" + id.String() + "/events"} {
		problem(t, s.on(t).do("GET", path+"?after=7:1.1:0", ""), http.StatusBadRequest, polymath.InvalidArgument, "another server")
	}
}
