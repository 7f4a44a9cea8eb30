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

// HTTP counts and times the requests that next answers, by the pattern of the
// http.ServeMux that took them, and writes them to the log: at the level Warn
// with a status of 500 or more, else Debug. The query is not logged, it may
// hold what is secret. Between HTTP and the mux nobody may copy the request,
// or the pattern stays unknown here.
//
// Streams are counted but not timed: server-sent events, those of gRPC and
// Connect, and connections that were taken over.
func (m *Metrics) HTTP(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		rec := &recorder{ResponseWriter: w}
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
			if !rec.stream {
				m.duration.WithLabelValues(route).Observe(took.Seconds())
			}
			record(log, r, code, took)
		}()
		next.ServeHTTP(rec, r)
		finished = true
	})
}

// record writes a request to the log.
func record(log *slog.Logger, r *http.Request, code string, took time.Duration) {
	level := slog.LevelDebug
	if code >= "500" { // aborted, too: letters come after digits
		level = slog.LevelWarn
	}
	log.LogAttrs(r.Context(), level, "request",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("route", r.Pattern),
		slog.String("code", code), slog.Duration("took", took), slog.String("from", r.RemoteAddr))
}

// recorder is a ResponseWriter that remembers the status code. What else a
// ResponseWriter can do is reached by http.ResponseController, and by the
// assertions that older code makes.
type recorder struct {
	http.ResponseWriter
	status int  // 0: not written yet
	stream bool // what it carries may last for ever
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
	w.status = status
	kind := w.Header().Get("Content-Type")
	for _, prefix := range [...]string{"text/event-stream", "application/connect+", "application/grpc"} {
		w.stream = w.stream || strings.HasPrefix(kind, prefix)
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
		w.stream = true
	}
	return c, rw, err
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
