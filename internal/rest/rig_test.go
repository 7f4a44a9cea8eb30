package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/internal/archive"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/all"
	"github.com/polymath-run/polymath/internal/history"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/local"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/rest"
	"github.com/polymath-run/polymath/internal/service"
	"github.com/polymath-run/polymath/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a node in a temporary directory behind the real face.
type rig struct {
	t       testing.TB
	journal *local.Journal
	gate    *gate // in front of it
	archive *archive.Archive
	node    *node.Node
	server  *httptest.Server
	options rest.Options
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gate is a journal that can hold one demand back.
type gate struct {
	journal.Journal
	next atomic.Pointer[held]
}

// held is a demand that waits at a gate.
type held struct{ here, on chan struct{} }

// hold has the next entry with a demand wait, and not what the node has to say by
// itself: here is closed when it is there, release lets it pass.
func (g *gate) hold() (here <-chan struct{}, release func()) {
	h := &held{make(chan struct{}), make(chan struct{})}
	g.next.Store(h)
	return h.here, func() { close(h.on) }
}

func (g *gate) Append(ctx context.Context, entry []byte) error {
	if h := g.next.Load(); h != nil && demands(entry) && g.next.CompareAndSwap(h, nil) {
		close(h.here)
		<-h.on
	}
	return g.Journal.Append(ctx, entry)
}

// demands reports whether an entry has a demand in it.
func demands(entry []byte) bool {
	var e ledger.Entry
	return e.Decode(entry) == nil && slices.ContainsFunc(e.Commands, func(c ledger.Command) bool {
		_, is := c.(*ledger.Demand)
		return is
	})
}

func newRig(t testing.TB, dir string) *rig {
	t.Helper()
	r := &rig{t: t, options: rest.Options{Version: "v0"}}
	logs, err := disk.Dir(filepath.Join(dir, "wal"))
	must(t, err)
	images, err := disk.Dir(filepath.Join(dir, "checkpoint"))
	must(t, err)
	r.journal, err = local.Open(local.Options{FS: logs, SegmentBytes: 1 << 20})
	must(t, err)
	r.gate = &gate{Journal: r.journal}
	store, err := checkpoint.Open(images)
	must(t, err)
	r.archive, err = archive.Open(filepath.Join(dir, "archive.db"), archive.Options{})
	must(t, err)
	past := history.New(time.Now().UnixMilli())
	r.node, err = node.Open(t.Context(), node.Options{
		Name: "n", Journal: r.gate, Checkpoints: store, Archive: r.archive, Log: slog.New(slog.DiscardHandler),
		Observe: func(_ time.Duration, fx *ledger.Effects) { past.Observe(time.Now().UnixMilli(), fx) },
	})
	must(t, err)
	backend := rest.Over(service.New(r.node, catalog.New(all.Set(true))), past)
	r.server = httptest.NewServer(rest.Guard(rest.New(backend, r.options), []string{"127.0.0.1"}, "--host NAME"))
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	if r.node == nil {
		return
	}
	r.server.CloseClientConnections()
	r.server.Close()
	err := errors.Join(r.node.Close(), r.journal.Close(), r.archive.Close())
	r.node = nil
	if err != nil {
		r.t.Error(err)
	}
}

// work runs a worker in the node's process until the test ends, or stop.
func (r *rig) work(functions *function.Set) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	n := r.node
	working.Go(func() {
		if err := worker.Run(ctx, n, worker.Options{Name: "inside", Functions: functions, Parallel: 2, Each: 20 * time.Millisecond}); err != nil {
			r.t.Error(err)
		}
	})
	stop = func() {
		cancel()
		working.Wait()
	}
	r.t.Cleanup(stop)
	return stop
}

// reply is an answer of the face.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do makes a request; headers are pairs.
func (r *rig) do(method, path, body string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, strings.NewReader(body))
	must(r.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.server.Client().Do(req)
	must(r.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(r.t, err)
	return reply{res.StatusCode, res.Header, data}
}

// get makes a request that must succeed with a status, and reads its body.
func get[T any](t testing.TB, a reply, status int) (v T) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.DisallowUnknownFields()
	must(t, dec.Decode(&v))
	return v
}

// problem checks that an answer is a problem of the right kind.
func problem(t testing.TB, a reply, status int, code polymath.Code, part string) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != api.ProblemType {
		t.Errorf("Content-Type %q: %d %s", got, a.status, a.body)
		return
	}
	p := get[api.Problem](t, a, a.status)
	if p.Status != a.status || a.status != status || p.Code != code.String() || p.Type != code.Problem() || p.Title == "" || !strings.Contains(p.Detail, part) {
		t.Errorf("status %d, want %d, %v with %q: %s", a.status, status, code, part, a.body)
	}
}

// finished submits and waits.
func (r *rig) finished(request string) api.Job {
	r.t.Helper()
	a := r.do("POST", "/v1/jobs", request, "Prefer", "wait=60")
	job := get[api.Job](r.t, a, http.StatusOK)
	if a.header.Get("Preference-Applied") != "wait=60" || a.header.Get("Retry-After") != "" {
		r.t.Errorf("headers %v", a.header)
	}
	return job
}

// sse is one event of a stream.
type sse struct{ id, name, data string }

// events reads a stream; each call of next gives an event.
type events struct {
	t     testing.TB
	body  io.ReadCloser
	lines *bufio.Scanner
}

func (r *rig) listen(path string, headers ...string) *events {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.server.URL+path, http.NoBody)
	must(r.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.server.Client().Do(req)
	must(r.t, err)
	if res.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(res.Body)
		r.t.Fatalf("status %d: %s", res.StatusCode, data)
	}
	r.t.Cleanup(func() { res.Body.Close() })
	return &events{r.t, res.Body, bufio.NewScanner(res.Body)}
}

// next is the next event; false at the end of the stream.
func (e *events) next() (s sse, more bool) {
	e.t.Helper()
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "id":
			s.id = value
		case "event":
			s.name = value
		case "data":
			s.data = value
		case "":
			if e.lines.Text() == "" && s != (sse{}) {
				return s, true
			}
		}
	}
	return s, false
}
