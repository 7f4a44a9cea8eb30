package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/addresstest"
	"github.com/polymath-run/polymath/internal/function/all"
)

// serve starts a server that is closed with the test.
func serve(t *testing.T, path string, change func(*ServerOptions)) *Server {
	t.Helper()
	o := ServerOptions{
		Options: Options{Directory: path, Version: "test", Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{"127.0.0.1:0"}, Functions: all.Set(true),
	}
	if change != nil {
		change(&o)
	}
	s, err := Serve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s.App) })
	return s
}

// get reads a page of the server as a host.
func get(t *testing.T, s *Server, path, host string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestServe has every face answer, and a restart keep what was acknowledged
// (P1, P8, W5).
func TestServe(t *testing.T) {
	path, address := t.TempDir(), addresstest.Free(t)
	s := serve(t, path, func(o *ServerOptions) { o.Listen = []string{address} })
	c, err := client.Dial(t.Context(), s.URL(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := c.Submit(t.Context(), client.Request{Function: "primes", Input: `{"to":1000000}`})
	if err != nil {
		t.Fatal(err)
	}
	for page, want := range map[string]string{
		"/livez": "", "/readyz": "", "/openapi.json": "/v1/jobs", "/v1/jobs/" + id.String(): "queued",
		"/metrics": `polymath_jobs_submitted_total{function="primes",shard="0"} 1`,
	} {
		if status, body := get(t, s, page, ""); status/100 != 2 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s", page, status, body)
		}
	}
	if status, _ := get(t, s, "/v1/jobs", "evil.example"); status != http.StatusForbidden {
		t.Errorf("as another host: %d", status)
	}
	shut(t, s.App)

	serve(t, path, func(o *ServerOptions) { o.Workers, o.Listen = 2, []string{address} })
	job, err := c.Wait(t.Context(), id) // the client has found the way back by itself
	if err != nil || string(job.Answer) != "78498" || job.Err != nil {
		t.Errorf("%+v, %v", job, err)
	}
}

// TestAddressInUse: an address that another program has is not to be had, which
// is no mistake of who typed it; one that is none is.
func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for address, want := range map[string]polymath.Code{taken.Addr().String(): polymath.Unavailable, "127.0.0.1:none": polymath.InvalidArgument} {
		_, err := Serve(t.Context(), ServerOptions{Options: Options{Directory: t.TempDir()}, Listen: []string{address}})
		if polymath.CodeOf(err) != want || !strings.Contains(err.Error(), "cannot listen on "+address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestServedTwice: who starts a server a second time hears which process it is
// already, and not that its address is taken. A directory that was of no use
// because of the address is free again.
func TestServedTwice(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	again := ServerOptions{
		Options: Options{Directory: s.path, Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{s.listeners[0].Addr().String()}, Functions: all.Set(false),
	}
	_, err := Serve(t.Context(), again)
	if polymath.CodeOf(err) != polymath.Damaged {
		t.Errorf("%v", err)
	}
	for _, part := range []string{s.path, fmt.Sprintf("process %d", os.Getpid()), s.URL(), "use that server"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	again.Directory = t.TempDir()
	if _, err := Serve(t.Context(), again); polymath.CodeOf(err) != polymath.Unavailable || !strings.Contains(err.Error(), "another process does already") {
		t.Errorf("on the same address: %v", err)
	}
	again.Listen = []string{"127.0.0.1:0"}
	free, err := Serve(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	shut(t, free.App)
}

// TestMaxWaiting bounds the unfinished jobs, for this life of the server only
// (W10).
func TestMaxWaiting(t *testing.T) {
	path := t.TempDir()
	submit := func(s *Server) (taken int) {
		c, err := client.Dial(t.Context(), s.URL(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 30 {
			_, err := c.Submit(t.Context(), client.Request{Function: "sleep", Input: `{"units":1}`})
			switch polymath.CodeOf(err) {
			case 0:
				taken++
			case polymath.Overloaded:
			default:
				t.Error(err)
			}
		}
		return taken
	}
	s := serve(t, path, func(o *ServerOptions) { o.MaxWaiting = 20 })
	if n := submit(s); n != 20 {
		t.Errorf("%d jobs were taken, 20 may wait", n)
	}
	shut(t, s.App)
	if n := submit(serve(t, path, nil)); n != 30 {
		t.Errorf("without the bound %d of 30 were taken", n)
	}
}

// TestTLS serves all faces over TLS, streams among them.
func TestTLS(t *testing.T) {
	cert, key, pool := selfSigned(t)
	s := serve(t, t.TempDir(), func(o *ServerOptions) { o.Certificate, o.Key, o.Workers = cert, key, 1 })
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Fatal(s.URL())
	}
	c, err := client.Dial(t.Context(), s.URL(), client.Options{TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if answer, err := c.Run(t.Context(), client.Request{Function: "add", Input: `{"a":1,"b":2}`}); err != nil || string(answer) != "3" {
		t.Errorf("%s, %v", answer, err)
	}
	if _, err := client.Dial(t.Context(), s.URL(), client.Options{TLS: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}}); polymath.CodeOf(err) != polymath.Unavailable {
		t.Errorf("without trust: %v", err)
	}
}

// TestServeRefusals: what cannot be served is said before anything is opened.
func TestServeRefusals(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	for name, change := range map[string]func(*ServerOptions){
		"no address":     func(o *ServerOptions) { o.Listen = []string{"nowhere"} },
		"no certificate": func(o *ServerOptions) { o.Certificate, o.Key = "missing.pem", "missing.key" },
	} {
		o := ServerOptions{
			Options: Options{Directory: t.TempDir(), Log: slog.New(slog.DiscardHandler)},
			Listen:  []string{"127.0.0.1:0"}, Functions: all.Set(false),
		}
		change(&o)
		if _, err := Serve(t.Context(), o); polymath.CodeOf(err) != polymath.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	holder := filepath.Join(s.path, holderName)
	if h, err := readHolder(holder); err != nil || h.Address != s.URL() {
		t.Errorf("%s says %+v, %v", holder, h, err)
	}
}

// TestURLOfAllAddresses: a server that listens everywhere says a URL at which it
// answers.
func TestURLOfAllAddresses(t *testing.T) {
	s := serve(t, t.TempDir(), func(o *ServerOptions) { o.Listen = []string{"0.0.0.0:0"} })
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("it answers at %s", s.URL())
	}
	if status, body := get(t, s, "/v1/stats", ""); status != http.StatusOK {
		t.Errorf("%d %.300s", status, body)
	}
}

// TestInUse: who is refused a directory learns where its server answers.
func TestInUse(t *testing.T) {
	s := serve(t, t.TempDir(), nil)
	_, err := Open(t.Context(), Options{Directory: s.path, Log: slog.New(slog.DiscardHandler)})
	used, ok := errors.AsType[*InUseError](err)
	if !ok || used.Holder.Address != s.URL() || polymath.CodeOf(err) != polymath.Damaged {
		t.Errorf("%v", err)
	}
}

// TestConnectionsAreBounded: one too many is closed at once, and its place is
// free again when another goes.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &bounded{Listener: inner, most: 2}
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := dial(), dial()
	defer second.Close()
	mine := <-accepted
	<-accepted
	refused := dial()
	if _, err := refused.Read(make([]byte, 1)); err == nil {
		t.Error("a third connection was taken")
	}
	_ = refused.Close()
	_ = mine.Close()
	_ = mine.Close() // twice gives one place
	_ = first.Close()
	third := dial()
	defer third.Close()
	if c := <-accepted; c == nil {
		t.Error("the place was not given back")
	}
}
