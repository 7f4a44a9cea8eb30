package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// How a stream of events is opened again when it broke.
const (
	firstAgain = 50 * time.Millisecond
	maxAgain   = time.Second
	maxOutage  = 30 * time.Second // without a stream; then the error is given
	// maxSilence is how long a stream may say nothing: the server sends a
	// comment every 15 s.
	maxSilence = 45 * time.Second
)

// Event is one thing a stream of events says. One of Happened, Progress and
// Gap is set.
type Event struct {
	// Happened is something that is kept: its ID is where a stream can be
	// resumed.
	Happened *api.Event
	// Progress is how far a job is. It is not kept and has no id.
	Progress *api.Progressed
	// Gap says that what happened between the event before and After is gone.
	Gap bool
	// After is where to resume: the id of the newest event that was given. ""
	// while there was none.
	After string
}

// Events follows everything that happens on the server, until ctx ends or the
// caller stops. After is where to begin: the After of an Event, also of another
// process; "" is now. A stream that breaks is opened again where it broke, so
// that nothing is missed and nothing is given twice; when that fails for 30 s
// the error is the last thing given.
func (c *Client) Events(ctx context.Context, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, path: "/v1/events", after: after, yield: yield, outage: maxOutage, silence: maxSilence}
		f.run(ctx)
	}
}

// Follow follows one job until it is finished: what happens to it, and at most
// four times a second how far it is. The last ones say how it ended. Streams
// that break are opened again, as by Events.
func (c *Client) Follow(ctx context.Context, id polymath.JobID) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, path: jobPath(id) + "/events", job: true, yield: yield, outage: maxOutage, silence: maxSilence}
		f.run(ctx)
	}
}

// follower is one who follows events.
type follower struct {
	client *Client
	path   string
	job    bool // it ends with the job
	after  string
	yield  func(Event, error) bool
	// outage and silence are maxOutage and maxSilence; short in tests.
	outage, silence time.Duration

	final bool // the job is finished: the stream ends with what the server has left to say
	over  bool // nothing more is to be given
}

// run opens stream after stream.
func (f *follower) run(ctx context.Context) {
	pause, stood, first := firstAgain, time.Now(), true
	for {
		opened, err := f.stream(ctx)
		if opened {
			pause, stood = firstAgain, time.Now()
		}
		if f.over || f.final {
			return
		}
		if ctx.Err() != nil || !again(err) || first && !opened || time.Since(stood) > f.outage {
			f.give(Event{}, f.client.reason(ctx, err))
			return
		}
		first = false
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, maxAgain)
	}
}

// again reports whether a stream that ended so is worth another one.
func again(err error) bool {
	switch polymath.CodeOf(err) {
	case 0, polymath.Unavailable, polymath.Overloaded:
		return true
	default:
		return false
	}
}

// reason is why nothing more is given.
func (c *Client) reason(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return c.lost(ctx, err)
	}
	return err
}

func (f *follower) give(e Event, err error) {
	if !f.over && !f.yield(e, err) {
		f.over = true
	}
}

// errSilent says that a stream was given up.
var errSilent = errors.New("the stream of events fell silent")

// stream gives what one stream says, until it breaks.
func (f *follower) stream(ctx context.Context) (opened bool, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	silence := time.AfterFunc(f.silence, func() { stop(errSilent) })
	defer silence.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.after != "" {
		header.Set("Last-Event-ID", f.after)
	}
	resp, err := f.client.send(ctx, http.MethodGet, f.path, nil, header)
	if err != nil {
		return false, f.silent(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode == http.StatusNoContent {
		f.over = true // everything about the job was given before
		return true, nil
	}
	err = parse(resp.Body, func(m message) error {
		silence.Reset(f.silence)
		return f.message(m)
	})
	if _, bad := errors.AsType[*polymath.Error](err); err != nil && !bad {
		err = f.client.lost(ctx, err)
	}
	return true, f.silent(ctx, err)
}

// silent makes an outage of a stream that was given up for its silence.
func (f *follower) silent(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return polymath.Errorf(polymath.Unavailable, "%s: %w for %v", f.client.link.Base(), errSilent, f.silence)
	}
	return err
}

// errEnough ends the reading of a stream.
var errEnough = errors.New("enough")

// message gives one message of a stream.
func (f *follower) message(m message) error {
	if m.id != "" {
		f.after = m.id
	}
	e := Event{After: f.after}
	var err error
	switch m.name {
	case "":
		return nil // a comment
	case api.EventGap:
		e.Gap = true
	case api.EventProgress:
		e.Progress = new(api.Progressed)
		err = json.Unmarshal(m.data, e.Progress)
	default:
		e.Happened = new(api.Event)
		err = json.Unmarshal(m.data, e.Happened)
	}
	if err != nil {
		return polymath.Errorf(polymath.Internal, "the event %s of %s cannot be read: %w", m.name, f.client.link.Base(), err)
	}
	f.give(e, nil)
	f.final = f.final || f.job && e.final()
	if f.over {
		return errEnough
	}
	return nil
}

// final reports whether an event says that its job is finished.
func (e *Event) final() bool {
	switch {
	case e.Progress != nil:
		job := api.Job{State: e.Progress.State}
		return job.Final()
	case e.Happened != nil:
		return e.Happened.Type == succeeded || e.Happened.Type == failed || e.Happened.Type == cancelled
	default:
		return false
	}
}

// The types of the events that end a job.
const (
	succeeded = "run.polymath.job.succeeded.v1"
	failed    = "run.polymath.job.failed.v1"
	cancelled = "run.polymath.job.cancelled.v1"
)
