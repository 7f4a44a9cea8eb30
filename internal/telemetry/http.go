package telemetry

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Values of labels that are no pattern and no status code.
const (
	unmatched = "unmatched" // no pattern of the mux took the request
	aborted   = "aborted"   // the handler panicked: the answer broke off
)

// Kinds of streams: answers that may last for ever.
const (
	events   = "events"   // server-sent events
	calls    = "calls"    // of gRPC and Connect
	upgraded = "upgraded" // connections that were taken over
)

// streamOf is the kind of the stream that a content type announces, or "".
func streamOf(contentType string) string {
	switch {
	case strings.HasPrefix(contentType, "text/event-stream"):
		return events
	case strings.HasPrefix(contentType, "application/connect+"), strings.HasPrefix(contentType, "application/grpc"):
		return calls
	default:
		return ""
	}
}

// HTTP counts and times the requests that next answers, by the pattern of the
// http.ServeMux that took them, and writes them to the log: at the level Warn
// with status 500 or when the answer broke off, else Debug. That includes 503
// and 504, by which clients are told that they ask for too much or gave too
// little time. The path is logged as path gives it, and the query is not: either
// may hold what is secret. Whoever copies the request between HTTP and the mux
// must copy its pattern back.
//
// Streams are counted, those that are open too, but not timed.
func (m *Metrics) HTTP(next http.Handler, log *slog.Logger, path func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		rec := &recorder{ResponseWriter: w, metrics: m}
		m.inFlight.Inc()
		finished := false
		defer func() {
			m.inFlight.Dec()
			route, code := r.Pattern, aborted
			if route == "" {
				route = unmatched
			}
			if finished {
				code = strconv.Itoa(rec.code())
			}
			took := time.Since(begin)
			m.requests.WithLabelValues(route, code).Inc()
			if rec.stream == "" {
				m.duration.WithLabelValues(route).Observe(took.Seconds())
			} else {
				m.streams.WithLabelValues(rec.stream).Dec()
			}
			record(log, r, path(r), code, took)
		}()
		next.ServeHTTP(rec, r)
		finished = true
	})
}

// record writes a request to the log.
func record(log *slog.Logger, r *http.Request, path, code string, took time.Duration) {
	level := slog.LevelDebug
	if code == aborted || code == strconv.Itoa(http.StatusInternalServerError) {
		level = slog.LevelWarn
	}
	log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", path), slog.String("route", r.Pattern),
		slog.String("code", code), slog.Duration("took", took), slog.String("from", r.RemoteAddr))
}

// recorder is a ResponseWriter that remembers the status code. What else a
// ResponseWriter can do is reached by http.ResponseController, and by the
// assertions that older code makes.
type recorder struct {
	http.ResponseWriter
	metrics *Metrics
	status  int    // 0: not written yet
	stream  string // its kind; "": it is none
}

// code is the status that the client got.
func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (w *recorder) note(status int) {
	if w.status != 0 || status < 200 && status != http.StatusSwitchingProtocols { // others of 1xx are followed by the final one
		return
	}
	w.status, w.stream = status, streamOf(w.Header().Get("Content-Type"))
	if status == http.StatusSwitchingProtocols {
		w.stream = upgraded
	}
	if w.stream != "" {
		w.metrics.streams.WithLabelValues(w.stream).Inc()
		w.metrics.opened.WithLabelValues(w.stream).Inc()
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	w.note(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.note(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom, so that files are still sent by the
// system and not copied.
func (w *recorder) ReadFrom(r io.Reader) (int64, error) {
	w.note(http.StatusOK)
	return io.Copy(w.ResponseWriter, r)
}

// Flush implements http.Flusher.
func (w *recorder) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *recorder) FlushError() error {
	w.note(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.note(http.StatusSwitchingProtocols)
	}
	return c, rw, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
