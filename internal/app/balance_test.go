package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/discover/discovertest"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// upstream is a server that answers with its name and counts.
type upstream struct {
	*httptest.Server
	requests    atomic.Int64
	connections atomic.Int64
}

func serveUpstream(t *testing.T, name string) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.requests.Add(1)
		_, _ = io.WriteString(w, name)
	}))
	u.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			u.connections.Add(1)
		}
	}
	u.Start()
	t.Cleanup(u.Close)
	return u
}

// rig is a Balancer with a file, and a client of it.
type rig struct {
	*Balancer
	t      *testing.T
	file   string
	client *http.Client
	admin  *admin.Client
}

// balanced starts a Balancer of a configuration, on ports of its own. Checks do
// not ask anybody: what is sent to upstreams is what the test sends.
func balanced(t *testing.T, text string) *rig {
	t.Helper()
	r := &rig{t: t, file: filepath.Join(t.TempDir(), "balance.yaml")}
	r.write(text)
	b, err := Balance(t.Context(), BalanceOptions{File: r.file, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	r.Balancer, r.client = b, &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections() // of the admin client
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.admin, err = admin.Dial(b.Admin()); err != nil {
		t.Fatal(err)
	}
	return r
}

// write writes the file, with what is the same in all tests. Named in it, a
// field is the test's.
func (r *rig) write(text string) {
	r.t.Helper()
	for field, value := range map[string]string{"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "health": "{interval: 0s}", "watch": "0s"} {
		if !strings.Contains("\n"+text, "\n"+field+":") {
			text += "\n" + field + ": " + value
		}
	}
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reply is an answer whose body was read.
type reply struct {
	StatusCode int
	Header     http.Header
}

// get asks for a path.
func (r *rig) get(path string) (reply, string) {
	r.t.Helper()
	response, err := r.client.Get(r.URLs()[0] + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header}, string(body)
}

// upstreams are those of the admin API, by name.
func (r *rig) upstreams() map[string]admin.Upstream {
	r.t.Helper()
	list, err := r.admin.List(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	out := make(map[string]admin.Upstream)
	for i := range list.Items {
		out[list.Items[i].Name] = list.Items[i]
	}
	return out
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// until waits for what must happen.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !happened() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after %v not yet: %s", patience, what)
		}
	}
}

// TestReload: a reading changes what the file says and nothing else: upstreams
// that stay keep their connections and what is known of them, what was done by
// hand stays, and a file that is wrong changes nothing and says why.
func TestReload(t *testing.T) {
	a, b, c := serveUpstream(t, "a"), serveUpstream(t, "b"), serveUpstream(t, "c")
	first := fmt.Sprintf("upstreams: [%s, %s]\npolicy: round-robin", a.URL, b.URL)
	r := balanced(t, first)
	for range 10 {
		r.get("/")
	}
	if a.requests.Load() != 5 || b.requests.Load() != 5 || a.connections.Load() != 1 {
		t.Fatalf("%d and %d requests, %d connections", a.requests.Load(), b.requests.Load(), a.connections.Load())
	}
	if _, err := r.admin.Change(t.Context(), b.URL, admin.Patch{Weight: new(7)}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin.Add(t.Context(), admin.NewUpstream{URL: c.URL}); err != nil {
		t.Fatal(err)
	}

	for _, wrong := range []string{"upstreams: [", "polcy: ring", "upstreams: []", first + "\naccess-log: {form: json, output: /nowhere/at/all}",
		first + "\nupstream-tls: {ca: /nowhere}\ndiscovery: []\nhedging: {percentile: 100}"} {
		r.write(wrong)
		before := r.upstreams()
		if _, err := r.admin.Reload(t.Context()); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%q was taken: %v", wrong, err)
		}
		if after := r.upstreams(); len(after) != 3 || after[b.URL].Weight != before[b.URL].Weight {
			t.Errorf("%q has changed the upstreams: %+v", wrong, after)
		}
	}

	r.write(fmt.Sprintf("upstreams: [{url: %s, weight: 3}, %s]\npolicy: round-robin\nretries: {most: 1}\ntimeouts: {request: 10s}", a.URL, b.URL))
	out, err := r.admin.Reload(t.Context())
	if err != nil || fmt.Sprint(out) != fmt.Sprintf("{[] [] [%s] [retries timeouts]}", a.URL) {
		t.Errorf("%+v, %v", out, err)
	}
	list := r.upstreams()
	if list[a.URL].Weight != 3 || list[b.URL].Weight != 7 || list[c.URL].Origin != fromAdmin || list[a.URL].Requests != 5 {
		t.Errorf("after the reading: %+v", list)
	}
	for range 9 {
		r.get("/")
	}
	if n := a.connections.Load(); n != 1 || a.requests.Load() != 8 || c.requests.Load() != 3 {
		t.Errorf("%d connections; %d and %d requests", n, a.requests.Load(), c.requests.Load())
	}
	var s admin.Stats
	until(t, "the last answer was counted", func() bool {
		s, err = r.admin.Stats(t.Context())
		return err == nil && s.Answers["2xx"] == 19
	})
	if s.Reloads != 6 || s.ReloadsFailed != 5 || s.Requests != 19 {
		t.Errorf("%+v", s)
	}
}

// TestWatch: the file and SIGHUP's way of reading it.
func TestWatch(t *testing.T) {
	a, b := serveUpstream(t, "a"), serveUpstream(t, "b")
	r := balanced(t, "upstreams: "+a.URL+"\nwatch: 100ms")
	r.write("upstreams: " + b.URL + "\nwatch: 100ms")
	until(t, "the file was seen", func() bool { _, there := r.upstreams()[b.URL]; return there })
	if _, body := r.get("/"); body != "b" {
		t.Errorf("answered by %s", body)
	}
	r.write("upstream: " + a.URL)
	until(t, "the wrong file was seen", func() bool {
		s, err := r.admin.Stats(t.Context())
		return err == nil && s.ReloadsFailed == 1
	})
	if _, body := r.get("/"); body != "b" {
		t.Errorf("answered by %s", body)
	}
	r.write("upstreams: " + a.URL)
	if _, err := r.Reload(); err != nil {
		t.Error(err)
	}
	if _, body := r.get("/"); body != "a" {
		t.Errorf("answered by %s", body)
	}
}

// TestDies: requests go on while an upstream dies and comes back, it gets none
// while it is away, and what is shown says so (D4, D5, D6, L11, G22).
func TestDies(t *testing.T) {
	a := serveUpstream(t, "a")
	l, err := net.Listen("tcp", addresstest.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "b") })
	b := &http.Server{Handler: answer}
	go func() { _ = b.Serve(l) }()
	name := "http://" + l.Addr().String()
	r := balanced(t, fmt.Sprintf("upstreams: [%s, %s]\npolicy: round-robin\nhealth: {interval: 100ms, path: /health_check, rise: 1, fall: 1, slow-start: 0s}\nbreaker: {open: 1s}", a.URL, name))
	until(t, "both are up", func() bool { u := r.upstreams(); return u[a.URL].State == "up" && u[name].State == "up" })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if response, body := r.get("/"); response.StatusCode != http.StatusOK || body != "a" {
			t.Fatalf("%d %s while one of two is away", response.StatusCode, body)
		}
	}
	until(t, "it is known to be away", func() bool { return r.upstreams()[name].State == "down" })
	picked := r.upstreams()[name].Requests
	for range 20 {
		r.get("/")
	}
	if u := r.upstreams()[name]; u.Requests != picked || u.Why == "" {
		t.Errorf("it got %d requests while it was away: %+v", u.Requests-picked, u)
	}
	if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	b = &http.Server{Handler: answer}
	go func() { _ = b.Serve(l) }()
	defer b.Close()
	until(t, "it gets requests again", func() bool { _, body := r.get("/"); return body == "b" })

	a.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "nobody is left", func() bool { return r.backend().Ready() != nil })
	response, body := r.get("/")
	var p struct{ Status int }
	if err := json.Unmarshal([]byte(body), &p); err != nil || response.StatusCode != http.StatusServiceUnavailable || p.Status != response.StatusCode || response.Header.Get("Retry-After") == "" {
		t.Errorf("with nobody left: %d %s, %v", response.StatusCode, body, err)
	}
}

func (r *rig) backend() admin.Backend { return balanceBackend{r.Balancer} }

// TestLimitsAndLog: rate limits with their fields on answers and refusals, and a
// line for each in the access log, whose file may be moved away (W11, D7, L11).
func TestLimitsAndLog(t *testing.T) {
	a := serveUpstream(t, "a")
	lines := filepath.Join(t.TempDir(), "access.log")
	r := balanced(t, fmt.Sprintf("upstreams: %s\nrate-limits: 2/1h by header:X-Key\naccess-log: {form: json, output: %s}", a.URL, lines))
	response, _ := r.get("/one")
	if got := response.Header.Get("RateLimit"); !strings.HasPrefix(got, `"per-x-key";r=1;t=`) || response.Header.Get("RateLimit-Policy") != `"per-x-key";q=2;w=3600` {
		t.Errorf("the answer has RateLimit %q and RateLimit-Policy %q", got, response.Header.Get("RateLimit-Policy"))
	}
	r.get("/two")
	response, body := r.get("/three")
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" || !strings.Contains(body, `"code":"rate_limited"`) || a.requests.Load() != 2 {
		t.Errorf("%d %v %s, and %d requests arrived", response.StatusCode, response.Header, body, a.requests.Load())
	}
	r.write(fmt.Sprintf("upstreams: %s\nrate-limits: 3/1h by header:X-Key\naccess-log: {form: json, output: %s}", a.URL, lines))
	written := func(want ...string) {
		t.Helper()
		until(t, fmt.Sprint(want, " are written"), func() bool {
			text, err := os.ReadFile(lines)
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range want {
				if !strings.Contains(string(text), `"target":"`+target+`"`) {
					return false
				}
			}
			return strings.Count(string(text), "\n") == len(want)
		})
	}
	written("/one", "/two", "/three")
	if err := os.Rename(lines, lines+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	r.get("/four")
	written("/four")
	if s, err := r.admin.Stats(t.Context()); err != nil || s.RateLimited != 1 || s.LogLines != 4 || s.RateLimits["per-x-key"] != 0 { // of the new limit
		t.Errorf("%+v, %v", s, err)
	}
}

// TestNames: an upstream whose name cannot be found does not keep the others
// away, and one that can is reached.
func TestNames(t *testing.T) {
	a := serveUpstream(t, "a")
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := balanced(t, fmt.Sprintf("upstreams: [http://localhost:%s, http://nobody.invalid:1]", u.Port()))
	if _, body := r.get("/"); body != "a" {
		t.Errorf("answered by %s", body)
	}
	if list := r.upstreams(); len(list) != 1 {
		t.Errorf("%+v", list)
	}
	r.write("upstreams: [http://nobody.invalid:1]")
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if response, _ := r.get("/"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("with nobody: %d", response.StatusCode)
	}
}

func TestBalanceRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, change := range map[string]func(*settings.Config){
		"listen[0].address: cannot listen on": func(c *settings.Config) { c.Listen[0].Address = taken.Addr().String() },
		"admin.address: cannot listen on":     func(c *settings.Config) { c.Admin.Address = taken.Addr().String() },
		"listen[0].tls.certificate: open":     func(c *settings.Config) { c.Listen[0].TLS = &settings.TLS{Certificate: "/nowhere", Key: "/nowhere"} },
		"upstream-tls.ca: open":               func(c *settings.Config) { c.Upstreams[0].URL, c.UpstreamTLS.CA = "https://127.0.0.1:1", "/nowhere" },
		"upstream-tls.ca: open /no": func(c *settings.Config) { // nobody is known yet whom it is for
			c.Upstreams, c.UpstreamTLS.CA = nil, "/no"
			c.Discovery = []settings.Discovery{{Name: "app.example", Port: 443, Scheme: "https", Servers: []string{taken.Addr().String()}}}
		},
		"access-log.output: open": func(c *settings.Config) {
			c.AccessLog = settings.AccessLog{Form: "json", Output: "/nowhere/log", Every: 1}
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		b, err := Balance(ctx, BalanceOptions{Log: slog.New(slog.DiscardHandler), Overlay: func(c *settings.Config) error {
			c.Listen[0].Address, c.Admin.Address = "127.0.0.1:0", "127.0.0.1:0"
			c.Upstreams = []settings.Upstream{{URL: "http://127.0.0.1:1"}}
			change(c)
			return nil
		}})
		cancel()
		if err == nil {
			t.Errorf("%s: it started: %v", want, b.Close())
		} else if !strings.Contains(err.Error(), want) || polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestBeginsUp: who is there at the start takes its share at once, also one that
// had to be looked up; one that comes later starts slowly.
func TestBeginsUp(t *testing.T) {
	a, b, c := serveUpstream(t, "a"), serveUpstream(t, "b"), serveUpstream(t, "c")
	z := discovertest.Serve(t, zoneOf(b)...)
	r := balanced(t, fmt.Sprintf("upstreams: %s\ndiscovery: [{name: _http._tcp.example, servers: [%q]}]\nhealth: {interval: 0s, slow-start: 1h}", a.URL, z.Address))
	if _, err := r.admin.Add(t.Context(), admin.NewUpstream{URL: c.URL}); err != nil {
		t.Fatal(err)
	}
	list := r.upstreams()
	for name, want := range map[string]string{a.URL: "up", b.URL: "up", c.URL: "warming"} {
		if got := list[name].State; got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
}

// TestWhatNeedsNoRestart: how often files are looked at and how many keys are
// remembered changes while the balancer runs.
func TestWhatNeedsNoRestart(t *testing.T) {
	a, b := serveUpstream(t, "a"), serveUpstream(t, "b")
	r := balanced(t, fmt.Sprintf("upstreams: %s\nrate-limits: 100/1h by header:X-Key\nwatch: 0s", a.URL))
	keys := func(n int) int {
		t.Helper()
		for i := range n {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URLs()[0], http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Key", fmt.Sprint(i))
			response, err := r.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
		return r.backend().Look().Keys.Keys
	}
	if n := keys(200); n != 200 {
		t.Fatalf("%d keys are remembered", n)
	}
	r.write(fmt.Sprintf("upstreams: %s\nrate-limits: 100/1h by header:X-Key\nrate-limit-keys: 16\nwatch: 100ms\ntrusted-proxies: 10.0.0.0/8\nthreads: 1", a.URL))
	out, err := r.Reload()
	if err != nil || fmt.Sprint(out.Fields) != "[threads trusted-proxies rate-limit-keys watch]" {
		t.Errorf("%+v, %v", out, err)
	}
	if n := keys(200); n > 16 {
		t.Errorf("%d keys are remembered", n)
	}
	r.write("upstreams: " + b.URL)
	until(t, "the file was looked at", func() bool { _, there := r.upstreams()[b.URL]; return there })
}
