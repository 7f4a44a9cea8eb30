package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance"
	"github.com/polymath-run/polymath/internal/balance/admin"
	"github.com/polymath-run/polymath/internal/balance/discover"
	"github.com/polymath-run/polymath/internal/balance/discover/discovertest"
	"github.com/polymath-run/polymath/internal/balance/settings"
)

// zoneOf is the zone of a service at some upstreams; without any, its name has
// no SRV records.
func zoneOf(upstreams ...*upstream) []string {
	zone := []string{"_http._tcp.example. 0 TXT nobody"}
	for i, u := range upstreams {
		at := netip.MustParseAddrPort(u.Listener.Addr().String())
		zone = append(zone, fmt.Sprintf("_http._tcp.example. 0 SRV 1 1 %d t%d.example.", at.Port(), i), fmt.Sprintf("t%d.example. 0 A %v", i, at.Addr()))
	}
	return zone
}

// TestDiscovery: upstreams come and go as the name server says, those that stay
// keep what was said by hand, and one that says nobody is not believed (G18, D5).
func TestDiscovery(t *testing.T) {
	a, b := serveUpstream(t, "a"), serveUpstream(t, "b")
	z := discovertest.Serve(t, zoneOf(a)...)
	text := fmt.Sprintf("discovery: [{name: _http._tcp.example, servers: [%q], shortest: 100ms, longest: 200ms}]", z.Address)
	r := balanced(t, text)
	if _, body := r.get("/"); body != "a" {
		t.Errorf("answered by %s", body)
	}
	if _, err := r.admin.Change(t.Context(), a.URL, admin.Patch{Weight: new(5)}, 0); err != nil {
		t.Fatal(err)
	}
	z.Set(t, zoneOf(a, b)...)
	until(t, "the second one is there", func() bool { return len(r.upstreams()) == 2 })
	if u := r.upstreams(); u[a.URL].Weight != 5 || u[a.URL].Requests != 1 || u[b.URL].Origin != "_http._tcp.example" {
		t.Errorf("%+v", u)
	}
	z.Set(t, zoneOf(b)...)
	until(t, "the first one is gone", func() bool { return len(r.upstreams()) == 1 })
	z.Set(t, zoneOf()...)
	for range 20 {
		if _, body := r.get("/"); body != "b" {
			t.Errorf("answered by %s", body)
		}
	}
	r.write("upstreams: " + a.URL)
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	until(t, "the last answer is settled, and nobody else is left", func() bool { return len(r.upstreams()) == 1 })
	if u := r.upstreams(); u[a.URL].Origin != fromFile {
		t.Errorf("without the name: %+v", u)
	}
}

// quiet is a fleet that nothing is watched for.
func quiet(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(slog.New(slog.DiscardHandler))
	f.settings = balance.Defaults()
	if _, err := f.open(balance.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func foundAt(list ...string) (out []discover.Found) {
	for _, item := range list {
		address, weight, _ := strings.Cut(item, "*")
		one := discover.Found{Address: netip.MustParseAddrPort(address), Weight: 1, Target: "app.example"}
		if weight != "" {
			one.Weight = int(weight[0] - '0')
		}
		out = append(out, one)
	}
	return out
}

// shown are the upstreams of a pool with their weights.
func shown(f *fleet) string {
	var out []string
	for _, u := range f.pool.Stats().Upstreams {
		out = append(out, fmt.Sprintf("%s*%d", strings.TrimPrefix(u.Name, "http://"), u.Weight))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestWhoSaysWhat: each source changes only what it says itself.
func TestWhoSaysWhat(t *testing.T) {
	f := quiet(t)
	d := &settings.Discovery{Name: "app", Scheme: "http"}
	says := func(list ...string) func() error {
		return func() error {
			if !f.discovered(t.Context(), d, foundAt(list...)) {
				return errors.New("it is not taken in")
			}
			return nil
		}
	}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, fresh, err := f.add(t.Context(), settings.Upstream{URL: "http://10.0.0.1:80", Weight: 1})
			if !fresh {
				t.Error("the first one is not new")
			}
			return err
		}, "10.0.0.1:80*1"},
		{says("10.0.0.1:80*3", "10.0.0.2:80*2"), "10.0.0.1:80*1 10.0.0.2:80*2"},
		{func() error { return f.patch("http://10.0.0.2:80", admin.Patch{Weight: new(9)}) }, "10.0.0.1:80*1 10.0.0.2:80*9"},
		{says("10.0.0.2:80*2", "10.0.0.3:80"), "10.0.0.1:80*1 10.0.0.2:80*9 10.0.0.3:80*1"},
		{func() error { return f.remove("http://10.0.0.3:80") }, "10.0.0.1:80*1 10.0.0.2:80*9"},
		{says("10.0.0.2:80*4", "10.0.0.3:80"), "10.0.0.1:80*1 10.0.0.2:80*4"},
		{func() error { delete(f.found, d.Name); return says("10.0.0.4:80")() }, "10.0.0.1:80*1 10.0.0.4:80*1"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := shown(f); got != step.want {
			t.Fatalf("got %s, want %s", got, step.want)
		}
	}
	if err := f.patch("http://10.0.0.1:80", admin.Patch{Weight: new(-1)}); err == nil || shown(f) != "10.0.0.1:80*1 10.0.0.4:80*1" {
		t.Errorf("a bad weight: %v, %s", err, shown(f))
	}
}

// TestSourcesMeet: an upstream that two have named is there for as long as one of
// them names it, and what one says anew counts, whatever was done by hand.
func TestSourcesMeet(t *testing.T) {
	a, b := serveUpstream(t, "a"), serveUpstream(t, "b")
	z := discovertest.Serve(t, zoneOf(a, b)...)
	name := fmt.Sprintf("discovery: [{name: _http._tcp.example, servers: [%q]}]\n", z.Address)
	r := balanced(t, name+"upstreams: "+a.URL)
	if u := r.upstreams(); u[a.URL].Origin != fromFile || u[b.URL].Origin != "_http._tcp.example" {
		t.Fatalf("%+v", u)
	}
	r.reload(name)
	if u := r.upstreams(); u[a.URL].Origin != "_http._tcp.example" || u[b.URL].Origin != "_http._tcp.example" {
		t.Errorf("the file names it no more, and the name does: %+v", u)
	}
	r.reload(name + "upstreams: " + a.URL)
	if err := r.admin.Remove(t.Context(), a.URL); err != nil {
		t.Fatal(err)
	}
	r.reload(name + fmt.Sprintf("upstreams: [{url: %s, weight: 3}]", a.URL))
	if u := r.upstreams(); u[a.URL].Origin != fromFile || u[a.URL].Weight != 3 {
		t.Errorf("removed by hand, then named with another weight: %+v", u)
	}
}

// TestDiscoveredAnew: how those are spoken to that a name gave before changes with
// the configuration of the name.
func TestDiscoveredAnew(t *testing.T) {
	a := serveUpstream(t, "a")
	z := discovertest.Serve(t, zoneOf(a)...)
	text := fmt.Sprintf("discovery: [{name: _http._tcp.example, servers: [%q], http2: %%t}]\n", z.Address)
	r := balanced(t, fmt.Sprintf(text, false))
	spoken := func() bool {
		r.fleet.mu.Lock()
		defer r.fleet.mu.Unlock()
		m := r.fleet.find(a.URL)
		return m != nil && m.upstream.Server.HTTP2
	}
	if spoken() {
		t.Fatal("HTTP/2 is spoken with it")
	}
	r.reload(fmt.Sprintf(text, true))
	until(t, "HTTP/2 is spoken with it", spoken)
}

// TestNotTakenIn: what a name says and could not be taken in is no answer that
// those after it are compared with.
func TestNotTakenIn(t *testing.T) {
	f := quiet(t)
	d := &settings.Discovery{Name: "app", Scheme: "https"}
	f.trust.CA = filepath.Join(t.TempDir(), "ca.pem")
	if f.discovered(t.Context(), d, foundAt("10.0.0.1:443")) || shown(f) != "" {
		t.Errorf("without the authority: %s", shown(f))
	}
	certificate, _, _ := selfSigned(t)
	copyFile(t, certificate, f.trust.CA)
	if !f.discovered(t.Context(), d, foundAt("10.0.0.1:443")) || shown(f) != "https://10.0.0.1:443*1" {
		t.Errorf("with it: %s", shown(f))
	}
}

// TestAddresses: an upstream keeps its address for as long as its name has it.
func TestAddresses(t *testing.T) {
	f := quiet(t)
	f.mu.Lock()
	err := f.put(fromFile, settings.Upstream{URL: "http://app:80", Weight: 1}, netip.AddrPort{})
	f.mu.Unlock()
	if err != nil || shown(f) != "" {
		t.Fatalf("%v, %s", err, shown(f))
	}
	for _, step := range []struct{ found, want string }{
		{"10.0.0.2:80", "10.0.0.2:80"}, {"10.0.0.1:80 10.0.0.2:80", "10.0.0.2:80"}, {"10.0.0.1:80 10.0.0.3:80", "10.0.0.1:80"},
	} {
		f.resolved(t.Context(), "http://app:80", foundAt(strings.Fields(step.found)...))
		if got := f.pool.Stats().Upstreams[0].Address.String(); got != step.want {
			t.Errorf("of %s it has %s, want %s", step.found, got, step.want)
		}
	}
}

// TestCertificates: a new certificate is taken without a restart, a wrong one is
// not taken at all.
func TestCertificates(t *testing.T) {
	a := serveUpstream(t, "a")
	cert, key, trust := selfSigned(t)
	newCert, newKey, newTrust := selfSigned(t)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nlisten: {address: '127.0.0.1:0', tls: {certificate: %s, key: %s}}\nwatch: 100ms", a.URL, cert, key))
	asks := func(c *tls.Config) bool {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport, Timeout: patience}).Get(r.URLs()[0])
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK && response.ProtoMajor == 2
	}
	if !asks(&tls.Config{RootCAs: trust}) || asks(&tls.Config{RootCAs: newTrust}) {
		t.Fatal("the first certificate is not shown")
	}
	copyFile(t, newCert, cert) // its key is still to come
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if !asks(&tls.Config{RootCAs: trust}) {
		t.Error("a certificate without its key was taken")
	}
	copyFile(t, newKey, key)
	until(t, "the new certificate is shown", func() bool { return asks(&tls.Config{RootCAs: newTrust}) })
}

// TestClientCertificates: who shows none that an authority has signed is not
// let in.
func TestClientCertificates(t *testing.T) {
	a := serveUpstream(t, "a")
	cert, key, trust := selfSigned(t)
	otherCert, otherKey, _ := selfSigned(t)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nlisten: {address: '127.0.0.1:0', tls: {certificate: %s, key: %s, client-ca: %s}}", a.URL, cert, key, cert))
	for name, c := range map[string]struct {
		cert, key string
		want      bool
	}{"signed": {cert, key, true}, "of another": {otherCert, otherKey, false}, "none": {"", "", false}} {
		config := &tls.Config{RootCAs: trust}
		if c.cert != "" {
			pair, err := tls.LoadX509KeyPair(c.cert, c.key)
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		transport := &http.Transport{TLSClientConfig: config}
		response, err := (&http.Client{Transport: transport, Timeout: patience}).Get(r.URLs()[0])
		if got := err == nil && response.StatusCode == http.StatusOK; got != c.want {
			t.Errorf("%s: let in %v, want %v (%v)", name, got, c.want, err)
		}
		if err == nil {
			response.Body.Close()
		}
		transport.CloseIdleConnections()
	}
}

// TestUpstreamCertificates: authorities of upstreams and the certificate that is
// shown to them are read again when only the files have changed; the upstreams
// stay the same ones. Files that are wrong are not taken.
func TestUpstreamCertificates(t *testing.T) {
	cert, key, trust := selfSigned(t)
	newCert, newKey, newTrust := selfSigned(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	next, err := tls.LoadX509KeyPair(newCert, newKey)
	if err != nil {
		t.Fatal(err)
	}
	var shown atomic.Pointer[tls.Config]
	shown.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trust})
	u := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a") }))
	u.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return shown.Load(), nil }}
	u.Config.SetKeepAlivesEnabled(false)
	u.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	u.StartTLS()
	defer u.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, cert, ca)
	r := balanced(t, fmt.Sprintf("upstreams: %s\nupstream-tls: {ca: %s, certificate: %s, key: %s}\nwatch: 100ms\nbreaker: {failures: 0}\nejection: {errors: 0, server-errors: 0}", u.URL, ca, cert, key))
	answers := func() bool {
		t.Helper()
		response, body := r.get("/")
		return response.StatusCode == http.StatusOK && body == "a"
	}
	if !answers() {
		t.Fatal("the first certificates are refused")
	}
	shown.Store(&tls.Config{Certificates: []tls.Certificate{next}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: newTrust})
	if answers() {
		t.Error("a certificate of another authority is believed")
	}
	if err := os.WriteFile(ca, []byte("nothing"), privateFile); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, newCert, ca)
	copyFile(t, newCert, cert)
	copyFile(t, newKey, key)
	until(t, "the new certificates are believed", func() bool { return answers() })
	if list := r.upstreams(); list[u.URL].Requests < 3 {
		t.Errorf("the upstream is another one: %+v", list)
	}
	shown.Store(&tls.Config{Certificates: []tls.Certificate{pair}})
	if answers() {
		t.Error("the authority that was taken away is believed")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, privateFile); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Minute) // another time than before, whatever the clock's grain is
	if err := os.Chtimes(to, at, at); err != nil {
		t.Fatal(err)
	}
}
