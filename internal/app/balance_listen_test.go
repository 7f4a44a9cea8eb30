package app

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/balance/admin"
)

// crowd asks a balancer all the time. Nothing of what it asks may be asked twice
// by who carries it: a connection that ends without having said so is a failure.
type crowd struct {
	t      *testing.T
	asked  atomic.Int64
	living sync.WaitGroup
	stop   context.CancelFunc
	ctx    context.Context
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t}
	c.ctx, c.stop = context.WithCancel(t.Context())
	t.Cleanup(c.end)
	return c
}

// end sends everybody home.
func (c *crowd) end() {
	c.stop()
	c.living.Wait()
}

// rest waits a moment, as people do between two requests. False is the end.
func (c *crowd) rest(longest time.Duration) bool {
	pause := time.NewTimer(rand.N(longest))
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// failed tells of a request that failed.
func (c *crowd) failed(what string, err error) {
	c.t.Errorf("%s, after %d requests: %v", what, c.asked.Load(), err)
}

// plain asks on a connection for as long as the answers do not end it, or once;
// over TLS where it has somebody to trust.
func (c *crowd) plain(address string, trust *x509.CertPool, keep bool) {
	dial := func() (net.Conn, error) { return net.Dial("tcp", address) }
	if trust != nil {
		dial = func() (net.Conn, error) { return tls.Dial("tcp", address, &tls.Config{RootCAs: trust}) }
	}
	c.living.Go(func() {
		for c.rest(2 * time.Millisecond) {
			nc, err := dial()
			if err != nil {
				c.failed("connect", err)
				return
			}
			if !c.speak(nc, keep) {
				return
			}
		}
	})
}

// speak asks on a connection until it ends. False: something failed.
func (c *crowd) speak(nc net.Conn, keep bool) bool {
	defer nc.Close()
	r := bufio.NewReader(nc)
	for {
		if _, err := io.WriteString(nc, "POST /crowd HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"); err != nil {
			c.failed("ask", err)
			return false
		}
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			c.failed("answer", err)
			return false
		}
		body, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if err != nil || a.StatusCode != http.StatusOK || string(body) != "a" {
			c.failed("answer", fmt.Errorf("%d %q %w", a.StatusCode, body, err))
			return false
		}
		c.asked.Add(1)
		if a.Close || !keep || !c.rest(5*time.Millisecond) {
			return true
		}
	}
}

// secure asks over HTTP/2.
func (c *crowd) secure(base string, trust *x509.CertPool) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, ForceAttemptHTTP2: true}
	c.living.Go(func() {
		defer transport.CloseIdleConnections()
		for c.rest(5 * time.Millisecond) {
			a, err := (&http.Client{Transport: transport}).Post(base, "text/plain", strings.NewReader("hi"))
			if err != nil {
				c.failed("over HTTP/2", err)
				return
			}
			body, err := io.ReadAll(a.Body)
			a.Body.Close()
			if err != nil || a.StatusCode != http.StatusOK || string(body) != "a" || a.ProtoMajor != 2 {
				c.failed("over HTTP/2", fmt.Errorf("%s %d %q %w", a.Proto, a.StatusCode, body, err))
				return
			}
			c.asked.Add(1)
		}
	})
}

// some waits until the crowd has asked some more.
func (c *crowd) some() {
	c.t.Helper()
	n := c.asked.Load() + 50
	until(c.t, "the crowd asks", func() bool { return c.asked.Load() >= n || c.t.Failed() })
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// reload writes the file and has it read. It must be taken.
func (r *rig) reload(text string) {
	r.t.Helper()
	r.write(text)
	if _, err := r.Reload(); err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
}

// TestReloadLosesNothing: while clients of all sorts ask, what listeners and
// forwarders are made of changes again and again. No request fails, each change
// counts, and nothing is left of what was before (D4, L11).
func TestReloadLosesNothing(t *testing.T) {
	a := serveUpstream(t, "a")
	certificate, key, trust := selfSigned(t)
	plain, secure, extra := addresstest.Free(t), addresstest.Free(t), addresstest.Free(t)
	config := func(more string) string {
		listen := fmt.Sprintf("{address: %q}, {address: %q, tls: {certificate: %s, key: %s}}", plain, secure, certificate, key)
		if strings.Contains(more, "#extra") {
			listen += fmt.Sprintf(", {address: %q}", extra)
		}
		if !strings.Contains(more, "threads:") {
			more += "\nthreads: 1"
		}
		return fmt.Sprintf("upstreams: %s\nlisten: [%s]\n%s\n", a.URL, listen, more)
	}
	r := balanced(t, config(""))
	c := newCrowd(t)
	for range 2 {
		c.plain(plain, nil, true)
		c.plain(plain, nil, false)
		c.plain(secure, trust, true)
		c.secure("https://"+secure, trust)
	}
	for _, change := range []struct {
		text string
		made func(s *faceShape) bool
	}{
		{"threads: 3", func(s *faceShape) bool { return s.threads == 3 }},
		{"threads: 8", func(s *faceShape) bool { return s.threads == 8 }},
		{"limits: {connections: 50}", func(s *faceShape) bool { return s.connections == 50 }},
		{"limits: {idle: 2}", func(s *faceShape) bool { return s.idle == 2 }},
		{"trusted-proxies: 10.0.0.0/8", func(s *faceShape) bool { return len(s.proxies) == 1 }},
		{"timeouts: {head: 3s, body: 3s, connect: 3s}", func(s *faceShape) bool {
			return s.timeouts.Head == 3*time.Second && s.timeouts.Connect == 3*time.Second
		}},
		{"timeouts: {first-byte: 3s, answer: 3s, write: 3s}", func(s *faceShape) bool {
			return s.timeouts.FirstByte == 3*time.Second && s.timeouts.Write == 3*time.Second
		}},
		{"timeouts: {keep-alive: 3s, idle: 3s, tunnel: 3s}", func(s *faceShape) bool {
			return s.timeouts.KeepAlive == 3*time.Second && s.timeouts.Idle == 3*time.Second
		}},
		{"#extra", func(*faceShape) bool { return len(r.URLs()) == 3 }},
		{"admin: {address: \"127.0.0.1:0\", hosts: [else.example]}", func(*faceShape) bool { return true }},
	} {
		for range 3 {
			for _, text := range []string{change.text, ""} {
				r.reload(config(text))
				c.some()
				if got := change.made(&r.faces.current()[0].shape); got != (text != "") && !strings.HasPrefix(change.text, "admin") {
					t.Errorf("%q, with %q in the file: %v", change.text, text, got)
				}
			}
		}
	}
	c.end()
	r.client.CloseIdleConnections()
	until(t, "all that was before is gone", func() bool { return r.backend().Look().Leaving == 0 })
}

// TestAddressesMove: an address that stays keeps its connections, one that goes
// is not listened on any more, those who waited there are answered, and all of
// this machine can take the place of one address (L11).
func TestAddressesMove(t *testing.T) {
	a := serveUpstream(t, "a")
	first, second := addresstest.Free(t), addresstest.Free(t)
	config := func(addresses ...string) string {
		return fmt.Sprintf("upstreams: %s\nlisten: ['%s']", a.URL, strings.Join(addresses, "', '"))
	}
	r := balanced(t, config(first))
	kept, err := net.Dial("tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	in := bufio.NewReader(kept)
	ask := func(nc net.Conn, in *bufio.Reader) bool {
		t.Helper()
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return !answer.Close
	}
	if !ask(kept, in) {
		t.Fatal("the connection ends")
	}
	r.reload(config(first, second))
	if len(r.URLs()) != 2 || r.URLs()[1] != "http://"+second {
		t.Errorf("listening at %v", r.URLs())
	}
	other, err := net.Dial("tcp", second)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if !ask(kept, in) || !ask(other, bufio.NewReader(other)) {
		t.Error("a connection ends although its address stays")
	}
	waiting, err := net.Dial("tcp", second)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	r.reload(config(first))
	if c, err := net.Dial("tcp", second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("an address that was taken away: %v", err)
		_ = c.Close()
	}
	if ask(waiting, bufio.NewReader(waiting)) || ask(other, bufio.NewReader(other)) {
		t.Error("a connection of an address that was taken away goes on")
	}
	until(t, "the address is gone", func() bool { return r.backend().Look().Leaving == 0 })
	if !ask(kept, in) {
		t.Error("a connection ends although its address stays")
	}

	if runtime.GOOS != "linux" {
		return // elsewhere the two cannot be listened on at a time
	}
	c := newCrowd(t)
	c.plain(first, nil, true)
	c.plain(first, nil, false)
	_, port, err := net.SplitHostPort(first)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.reload(config("0.0.0.0:" + port))
		c.some()
		if got := r.faces.current()[0].sockets.Address().Addr(); !got.IsUnspecified() {
			t.Errorf("listening at %v", got)
		}
		r.reload(config("localhost:" + port))
		c.some()
		r.reload(config(first))
		c.some()
	}
	c.end()
}

// TestReloadThatCannotListen: an address that is somebody else's changes nothing,
// and the error says which and where in the file.
func TestReloadThatCannotListen(t *testing.T) {
	a, b := serveUpstream(t, "a"), serveUpstream(t, "b")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first, free := addresstest.Free(t), addresstest.Free(t)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nlisten: %q", a.URL, first))
	before, apart := r.URLs(), r.Balancer.Admin()
	for _, c := range []struct{ wrong, want string }{
		{fmt.Sprintf("upstreams: %s\nlisten:\n- %q\n- %q\nthreads: 4\ntimeouts: {head: 1s}", b.URL, free, taken.Addr()), "line 4: listen[1].address: cannot listen on " + taken.Addr().String()},
		{fmt.Sprintf("upstreams: %s\nlisten: [%q, %q]\nadmin: %q", b.URL, free, first, taken.Addr()), "line 3: admin.address: cannot listen on " + taken.Addr().String()},
		{fmt.Sprintf("upstreams: %s\nlisten: [%q, {address: \"127.0.0.1:0\", tls: {certificate: /nowhere, key: /nowhere}}]", b.URL, free), "line 2: listen[1].tls.certificate: open /nowhere"},
		{fmt.Sprintf("upstreams: %s\nlisten: [%q, %q]\nadmin: %q", b.URL, free, first, first), "line 3: admin.address: cannot listen on " + first},
		{fmt.Sprintf("upstreams: %s\nadmin: off\nlisten:\n- %q\n- %q\n- %q", b.URL, free, strings.TrimPrefix(apart, "http://"), strings.Replace(apart, "http://127.0.0.1", "localhost", 1)), "line 6: listen[2].address: cannot listen on localhost"},
		{fmt.Sprintf("upstreams: %s\nlisten: [%q, %q]\naccess-log:\n  form: json\n  output: /nowhere/log", b.URL, free, first), "line 5: access-log.output: open /nowhere/log"},
		{fmt.Sprintf("upstreams: https://127.0.0.1:1\nlisten: [%q, %q]\nupstream-tls:\n  ca: /nowhere", free, first), "line 4: upstream-tls.ca: open /nowhere"},
	} {
		wrong := c.wrong
		r.write(wrong)
		_, err := r.Reload()
		if want := "the configuration file " + r.file + ": " + c.want; polymath.CodeOf(err) != polymath.InvalidArgument || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", wrong, err, want)
		}
		if _, body := r.get("/"); body != "a" || r.URLs()[0] != before[0] || len(r.URLs()) != 1 || r.Balancer.Admin() != apart || r.backend().Look().Leaving != 0 {
			t.Errorf("%s: answered by %s; at %v and %s", wrong, body, r.URLs(), r.Balancer.Admin())
		}
		if c, err := net.Dial("tcp", free); err == nil {
			t.Errorf("%s: it listens", wrong)
			_ = c.Close()
		}
	}
	file := filepath.Join(t.TempDir(), "balance.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "upstreams: %s\nadmin: off\nlisten: %s", b.URL, taken.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Balance(t.Context(), BalanceOptions{File: file, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.HasPrefix(err.Error(), "the configuration file "+file+": line 3: listen[0].address: cannot listen on ") {
		t.Errorf("at the start: %v", err)
	}
	r.reload(fmt.Sprintf("upstreams: %s\nlisten: [%q, %q]", b.URL, free, first))
	if _, body := r.get("/"); body != "b" || len(r.URLs()) != 2 {
		t.Errorf("answered by %s; at %v", body, r.URLs())
	}
}

// TestAdminMoves: the admin API goes to another address, and what has it go there
// is answered; its names change where it stays.
func TestAdminMoves(t *testing.T) {
	a := serveUpstream(t, "a")
	first, second := addresstest.Free(t), addresstest.Free(t)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nadmin: %q", a.URL, first))
	ask := func(address, host string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/livez", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := r.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	refused := ask(first, "balancer.example")
	r.reload(fmt.Sprintf("upstreams: %s\nadmin: {address: %q, hosts: [balancer.example]}", a.URL, first))
	if got := ask(first, "balancer.example"); refused == http.StatusOK || got != http.StatusOK {
		t.Errorf("%d before its name was known, %d with it", refused, got)
	}
	r.write(fmt.Sprintf("upstreams: %s\nadmin: %q", a.URL, second))
	if _, err := r.admin.Reload(t.Context()); err != nil {
		t.Errorf("the reload is not answered: %v", err)
	}
	if got := ask(second, second); got != http.StatusOK || r.Balancer.Admin() != "http://"+second {
		t.Errorf("at the address after: %d, and it says %s", got, r.Balancer.Admin())
	}
	until(t, "nobody is at the address before", func() bool {
		c, err := net.Dial("tcp", first)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	r.reload(fmt.Sprintf("upstreams: %s\nadmin: off", a.URL))
	if got := r.Balancer.Admin(); got != "" {
		t.Errorf("the admin API is off, and at %s", got)
	}
}

// TestAddressesSwap: listeners and the admin API take over each other's addresses,
// and nobody who is about to connect is refused (L11).
func TestAddressesSwap(t *testing.T) {
	a := serveUpstream(t, "a")
	first, second := addresstest.Free(t), addresstest.Free(t)
	config := func(listen, admin string) string {
		return fmt.Sprintf("upstreams: %s\nlisten: %q\nadmin: %q", a.URL, listen, admin)
	}
	r := balanced(t, config(first, second))
	c := newCrowd(t)
	var one sync.WaitGroup
	for _, address := range []string{first, second} {
		one.Go(func() { // whoever answers there
			for c.ctx.Err() == nil {
				nc, err := net.Dial("tcp", address)
				if err != nil {
					c.failed("connect", err)
					return
				}
				if _, err := fmt.Fprintf(nc, "GET /livez HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", address); err != nil {
					c.failed("ask", err)
				} else if answer, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
					c.failed("answer", fmt.Errorf("%.80q %w", answer, err))
				}
				_ = nc.Close()
				c.asked.Add(1)
			}
		})
	}
	for i := range 6 {
		listen, apart := second, first
		if i%2 == 1 {
			listen, apart = first, second
		}
		r.reload(config(listen, apart))
		c.some()
		if _, body := r.get("/"); body != "a" || r.URLs()[0] != "http://"+listen || r.Balancer.Admin() != "http://"+apart {
			t.Errorf("answered by %s; at %v and %s", body, r.URLs(), r.Balancer.Admin())
		}
		until(t, "the admin API answers", func() bool {
			api, err := admin.Dial("http://" + apart)
			if err == nil {
				_, err = api.Stats(t.Context())
			}
			return err == nil
		})
	}
	r.reload(config(first, strings.Replace(second, "127.0.0.1", "localhost", 1))) // where it is, otherwise written
	if got := r.Balancer.Admin(); got != "http://"+second {
		t.Errorf("the admin API is at %s", got)
	}
	c.stop()
	one.Wait()
}

// TestAdminBacklog: who waits at an address that the admin API leaves is answered.
func TestAdminBacklog(t *testing.T) {
	a := serveUpstream(t, "a")
	first := addresstest.Free(t)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nadmin: %q", a.URL, first))
	now := r.Balancer.admin.Load()
	now.hush() // so that nobody takes who comes
	waiting, err := net.Dial("tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	r.reload(fmt.Sprintf("upstreams: %s\nadmin: off", a.URL))
	if _, err := fmt.Fprintf(waiting, "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n", first); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(waiting), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
}

// TestDrainLimit: what a reload has left behind is cut when its time is up, and
// not before.
func TestDrainLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams := make(chan chan string)
	up := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		more := make(chan string)
		streams <- more
		for text := range more {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	})}
	go func() { _ = up.Serve(l) }()
	defer up.Close()
	at := addresstest.Free(t)
	config := func(drain, head string) string {
		return fmt.Sprintf("upstreams: http://%s\nlisten: %q\ntimeouts: {drain: %s, head: %s}", l.Addr(), at, drain, head)
	}
	r := balanced(t, config("1h", "1s"))
	begin := func() (chan<- string, *bufio.Reader) {
		t.Helper()
		nc, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		more := <-streams
		t.Cleanup(func() { close(more) })
		more <- "one\n"
		answer, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		in := bufio.NewReader(answer.Body)
		if line, err := in.ReadString('\n'); line != "one\n" {
			t.Fatalf("%q, %v", line, err)
		}
		return more, in
	}
	more, slow := begin()
	r.reload(config("1h", "2s"))
	more <- "two\n"
	if line, err := slow.ReadString('\n'); line != "two\n" {
		t.Errorf("after a reload: %q, %v", line, err)
	}
	if n := r.backend().Look().Leaving; n != 1 {
		t.Errorf("%d are leaving", n)
	}
	_, cut := begin()
	r.reload(config("10ms", "3s"))
	if line, err := cut.ReadString('\n'); err == nil {
		t.Errorf("its time is up, and it has %q", line)
	}
	more <- "three\n"
	if line, err := slow.ReadString('\n'); line != "three\n" {
		t.Errorf("after two reloads: %q, %v", line, err)
	}
}
