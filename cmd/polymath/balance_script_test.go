package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// balancing are the commands of scripts that are about the balancer.
func balancing() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"balancer": startBalancer, "configure": configure, "get": get, "hangup": hangup, "await": await,
	}
}

// balancer NAME,... ARGS... starts upstreams that answer with their names in
// lower case, and a balancer beside the script with these arguments, which ends
// with it or by quit. Each NAME is the URL of its upstream from then on,
// BALANCER that of the balancer, and POLYMATH_ADMIN that of its admin API. It
// gets the upstreams by flags, unless live.yaml is among its arguments.
func startBalancer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: balancer NAME[,NAME...] [ARGS]")
	}
	all := []string{"balance", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--verbose"}
	for name := range strings.SplitSeq(args[0], ",") {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.ToLower(name))
		}))
		ts.Defer(up.Close)
		ts.Setenv(name, up.URL)
		if !slices.Contains(args, live) {
			all = append(all, "--upstream", up.URL)
		}
	}
	for i, arg := range args[1:] {
		if arg == live {
			configure(ts, false, []string{"first.yaml"})
		}
		args[i+1] = os.Expand(arg, ts.Getenv)
	}
	b := begin(ts, append(all, args[1:]...))
	running := &b
	ts.Defer(func() {
		if *running != nil {
			ts.Logf("the balancer said: %s", (*running).finish())
		}
	})
	ts.Setenv("BALANCER", b.until(ts, "^http"))
	ts.Setenv("POLYMATH_ADMIN", strings.TrimPrefix(b.until(ts, "^admin "), "admin "))
	ts.Value(serverKey{}).(*script).server = running
}

// live is the configuration of a balancer beside a script.
const live = "live.yaml"

// configure FILE makes live.yaml of a file, with variables in their places.
func configure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: configure FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(live), []byte(text), 0o600))
}

// get CODE URL BODY... asks for a URL: the status is CODE, and the body one of
// these, where there are any.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: get CODE URL [BODY...]")
	}
	response, err := http.Get(args[1])
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if strconv.Itoa(response.StatusCode) != args[0] || len(args) > 2 && !slices.Contains(args[2:], string(body)) {
		ts.Fatalf("GET %s: %d %s, want %s with one of %q", args[1], response.StatusCode, body, args[0], args[2:])
	}
}

// hangup sends SIGHUP to the balancer.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey{}).(*script)
	if neg || len(args) != 0 || s.server == nil || *s.server == nil {
		ts.Fatalf("usage: hangup, with a balancer")
	}
	ts.Check((*s.server).cmd.Process.Signal(syscall.SIGHUP))
}

// awaitTime is how long await tries.
const awaitTime = 20 * time.Second

// await PATTERN COMMAND... runs a command until it prints a pattern.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND [ARGS]")
	}
	want, end := regexp.MustCompile(args[0]), time.Now().Add(awaitTime)
	for {
		err := ts.Exec(args[1], args[2:]...)
		switch out := ts.ReadFile("stdout"); {
		case err == nil && want.MatchString(out):
			return
		case time.Now().After(end):
			ts.Fatalf("%v: after %v it prints %s", err, awaitTime, out)
		}
	}
}
