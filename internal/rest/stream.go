package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/event"
)

// streamType is the media type of server-sent events.
const streamType = "text/event-stream; charset=utf-8"

// The times of a stream.
const (
	heartbeat     = 15 * time.Second       // between signs of life when nothing happens
	progressPause = 250 * time.Millisecond // between two progress events
	// writeLimit is how long a reader may take for one piece: one that never
	// reads holds a place and a piece for so long, and no longer.
	writeLimit = 10 * time.Second
)

// StreamInput is where a stream begins.
type StreamInput struct {
	Last string `header:"Last-Event-ID" maxLength:"64" doc:"The id of the last event that was read: the stream goes on after it, also with another server process." example:"0:1.42:0"`
	// After is for clients that cannot set headers when they begin.
	After string `query:"after" maxLength:"64" doc:"The same, for those who cannot set the header." example:"0:1.42:0"`
}

// start is where in the events a stream begins.
type start struct {
	after   event.ID
	newest  event.ID // of all
	resumed bool     // the reader chose it
	// lost: what the reader chose has not happened here, as when the server
	// was restored from a backup. What it missed nobody knows.
	lost bool
}

// start reads where to begin; who does not say so begins after the newest.
func (in *StreamInput) start(newest event.ID) (p start, err error) {
	p = start{after: newest, newest: newest}
	text := in.Last
	if text == "" {
		text = in.After
	}
	if text == "" {
		return p, nil
	}
	id, err := event.ParseID(text)
	switch {
	case err != nil:
		return p, err
	case id.Shard != newest.Shard:
		return p, invalid("event %s is one of another server: leave its id out to begin with what happens now", text)
	}
	p.resumed, p.lost = true, id.Compare(newest) > 0
	if !p.lost {
		p.after = id
	}
	return p, nil
}

type jobStreamInput struct {
	JobPath
	StreamInput
}

func (f *face) streamOperations() {
	tag := []string{"events"}
	kinds := "Server-sent events. Each is a CloudEvent, its name the type and its id the id to resume after. gap says that events before the next one are missing: retention removed them, or the id to resume after is of none that happened here. A comment comes every 15 seconds."
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/events", Summary: "Follow all events", Tags: tag,
		Description: kinds, Responses: eventStream(),
	}, nil, f.follow)
	operate(f, huma.Operation{
		Method: http.MethodGet, Path: "/v1/jobs/{id}/events", Summary: "Follow a job", Tags: tag,
		Description: kinds + " progress, at most four times a second and without an id, says how far the job is. The stream ends with the job; asked to resume after that, it is empty (204).",
		Responses:   eventStream(),
	}, nil, f.followJob)
}

func eventStream() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "A stream of events",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}

// follow streams everything that happens.
func (f *face) follow(_ context.Context, in *StreamInput) (*huma.StreamResponse, error) {
	p, err := in.start(f.backend.Events().Last())
	if err != nil {
		return nil, err
	}
	return f.stream(func(ctx context.Context, s *stream) error {
		if err := s.begin(p); err != nil {
			return err
		}
		for {
			b, err := s.next(ctx, p.after, heartbeat)
			if err != nil {
				return err
			}
			p.after = b.Last
			s.batch(b)
			if err := s.send(); err != nil {
				return err
			}
		}
	})
}

// stream takes a place for a stream and runs it.
func (f *face) stream(run func(context.Context, *stream) error) (*huma.StreamResponse, error) {
	if err := f.streams.enter("event streams"); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer f.streams.leave()
		if hc.Method() == http.MethodHead { // nobody reads what follows
			hc.SetHeader("Content-Type", streamType)
			return
		}
		ctx, stop := context.WithCancel(hc.Context())
		defer stop()
		defer context.AfterFunc(f.options.Stopping, stop)()
		c := callOf(ctx)
		s := &stream{events: f.backend.Events(), writer: c.writer, control: http.NewResponseController(c.writer)}
		_ = run(ctx, s) // the reader left, or the server stops: nobody is there to hear of it
		_ = s.control.SetWriteDeadline(time.Time{})
	}}, nil
}

// stream is one reader of events. What is not sent yet is in text: one batch
// of the hub at most.
type stream struct {
	events  Listener
	writer  http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer
}

// begin sends the head of the answer.
func (s *stream) begin(p start) error {
	s.writer.Header().Set("Content-Type", streamType)
	s.writer.WriteHeader(http.StatusOK)
	s.text.WriteString(": hello\n\n")
	if p.lost {
		s.gap(event.Batch{Last: p.after})
	}
	return s.send()
}

// next waits for events, but no longer than limit: an empty Batch then.
func (s *stream) next(ctx context.Context, after event.ID, limit time.Duration) (event.Batch, error) {
	waiting, stop := context.WithTimeout(ctx, limit)
	defer stop()
	b, err := s.events.Next(waiting, after)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return event.Batch{Last: after}, nil
	}
	return b, err
}

// batch adds what a batch has, or a sign of life.
func (s *stream) batch(b event.Batch) {
	if b.Gap {
		s.gap(b)
	}
	for i := range b.Events {
		s.event(&b.Events[i])
	}
	if s.text.Len() == 0 {
		s.text.WriteString(":\n\n")
	}
}

// gap has an id only where no event follows: a reader who resumes between the
// two must not lose those.
func (s *stream) gap(b event.Batch) {
	fmt.Fprintf(&s.text, "event: %s\n", api.EventGap)
	if len(b.Events) == 0 {
		fmt.Fprintf(&s.text, "id: %v\n", b.Last)
	}
	s.text.WriteString("data: {}\n\n")
}

func (s *stream) event(e *event.Event) {
	c := cloudEvent(e)
	fmt.Fprintf(&s.text, "event: %s\nid: %s\ndata: ", c.Type, c.ID)
	s.data(c)
}

// data ends an event with a value: JSON, which has no line breaks of its own.
func (s *stream) data(v any) {
	if err := marshal(&s.text, v); err != nil {
		panic("rest: an event cannot be written: " + err.Error()) // it is strings and numbers
	}
	s.text.WriteByte('\n')
}

// send writes what gathered.
func (s *stream) send() error {
	if s.text.Len() == 0 {
		return nil
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeLimit)) // where it is not supported, nothing is lost
	_, err := s.writer.Write(s.text.Bytes())
	s.text.Reset()
	return errors.Join(err, s.control.Flush())
}

// cloudEvent is an event as it is sent.
func cloudEvent(e *event.Event) *api.Event {
	out := &api.Event{
		SpecVersion: "1.0", ID: e.ID.String(), Source: fmt.Sprintf("/polymath/shard/%d", e.ID.Shard),
		Type: e.Kind.Type(), ContentType: "application/json",
	}
	if e.At != 0 {
		at := time.UnixMilli(e.At).UTC()
		out.Time = &at
	}
	if e.Job.IsZero() {
		out.Data.Worker = e.Name
		return out
	}
	out.Subject = e.Job.String()
	out.Data = api.EventData{Job: out.Subject, Function: e.Name}
	return out
}

// followJob streams what happens to one job.
func (f *face) followJob(ctx context.Context, in *jobStreamInput) (*huma.StreamResponse, error) {
	id, err := in.job()
	if err != nil {
		return nil, err
	}
	p, err := in.start(f.backend.Events().Last()) // before the job is read: what it does next comes after
	if err != nil {
		return nil, err
	}
	job, err := f.backend.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return f.stream(func(ctx context.Context, s *stream) error {
		j := &jobStream{stream: s, face: f, id: id, start: p}
		if job.Final() && p.resumed && !p.lost {
			return j.rest(ctx)
		}
		if err := s.begin(p); err != nil {
			return err
		}
		j.progress(&job)
		if job.Final() {
			return s.send()
		}
		return j.follow(ctx)
	})
}

// jobStream is a stream of one job's events.
type jobStream struct {
	*stream
	start // after moves on

	face *face
	id   polymath.JobID
	told api.Progressed
}

// add adds what is the job's of a batch; true: its last event was among that.
func (j *jobStream) add(b event.Batch) (over bool) {
	j.after = b.Last
	if b.Gap {
		j.gap(b)
	}
	for i := range b.Events {
		if e := &b.Events[i]; e.Job == j.id {
			j.event(e)
			over = over || e.Kind == event.JobSucceeded || e.Kind == event.JobFailed || e.Kind == event.JobCancelled
		}
	}
	return over
}

// rest sends what a reader has not read of a job that is over.
func (j *jobStream) rest(ctx context.Context) error {
	for j.after.Compare(j.newest) < 0 {
		b, err := j.next(ctx, j.after, heartbeat)
		if err != nil {
			return err
		}
		if j.add(b) {
			break
		}
	}
	if j.text.Len() == 0 {
		j.writer.WriteHeader(http.StatusNoContent) // tells an EventSource to stop
		return nil
	}
	unread := bytes.Clone(j.text.Bytes())
	j.text.Reset()
	if err := j.begin(j.start); err != nil {
		return err
	}
	j.text.Write(unread)
	return j.send()
}

// follow sends events and progress until the job is over.
func (j *jobStream) follow(ctx context.Context) error {
	looked, sent := time.Now(), time.Now()
	final := false // it was over before the events were read last
	for {
		if err := j.send(); err != nil {
			return err
		}
		b, err := j.next(ctx, j.after, max(progressPause-time.Since(looked), 0))
		if err != nil {
			return err
		}
		over := j.add(b) || final && len(b.Events) == 0 // its last event is gone
		if over || time.Since(looked) >= progressPause {
			looked = time.Now()
			job, err := j.face.backend.Job(ctx, j.id)
			if err != nil {
				return err
			}
			j.progress(&job)
			final = job.Final()
		}
		if over {
			return j.send()
		}
		if j.text.Len() > 0 {
			sent = time.Now()
		} else if time.Since(sent) >= heartbeat {
			sent = time.Now()
			j.text.WriteString(":\n\n")
		}
	}
}

// progress adds how far the job is, if that is news.
func (j *jobStream) progress(job *api.Job) {
	p := api.Progressed{ID: job.ID, State: job.State, Units: job.Units, Done: job.Done, Working: job.Working, Dead: job.Dead}
	if p == j.told {
		return
	}
	j.told = p
	fmt.Fprintf(&j.text, "event: %s\ndata: ", api.EventProgress)
	j.data(p)
}
