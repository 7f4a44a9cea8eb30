package main

import (
	"context"
	_ "embed" // of the tools in C
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// Where things run.
const (
	loadCore  = "0"
	proxyCore = "1"
	upstreams = 3
)

//go:embed c/load.c
var loadSource []byte

//go:embed c/upstream.c
var upstreamSource []byte

// tools are the programs that make the load and answer it.
type tools struct{ loadPath, upstreamPath string }

// buildTools compiles them.
func buildTools(ctx context.Context, place string) (t tools, err error) {
	if t.loadPath, err = compile(ctx, place, "load", loadSource); err != nil {
		return t, err
	}
	t.upstreamPath, err = compile(ctx, place, "upstream", upstreamSource)
	return t, err
}

func compile(ctx context.Context, place, name string, source []byte) (string, error) {
	path := filepath.Join(place, name)
	if err := os.WriteFile(path+".c", source, 0o600); err != nil {
		return "", err
	}
	if said, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", path, path+".c").CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc %s.c: %w\n%s", name, err, said)
	}
	return path, nil
}

// pinned is a command on one core.
func pinned(ctx context.Context, core string, command ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", core}, command...)...)
}

// startUpstreams starts a process that answers on three ports.
func (t tools) startUpstreams(ctx context.Context, body int) (ports []int, p *process.Process, err error) {
	command := []string{t.upstreamPath, strconv.Itoa(body)}
	for range upstreams {
		port, err := freePort()
		if err != nil {
			return nil, nil, err
		}
		ports = append(ports, port)
		command = append(command, strconv.Itoa(port))
	}
	if p, err = process.Start(pinned(ctx, loadCore, command...)); err != nil {
		return nil, nil, err
	}
	err = p.Ready(ctx, answers(ports[upstreams-1], false))
	return ports, p, err
}

// result is what came of one run.
type result struct {
	requests, failed int
	rate             float64 // requests/s
	p50, p99         int     // microseconds
	cpu              float64 // microseconds of the proxy for each request
}

// load puts a load on a port.
func (t tools) load(ctx context.Context, s scenario, port int, length time.Duration) (r result, err error) {
	if s.secure {
		return wrk(ctx, s, port, length)
	}
	printed, err := pinned(ctx, loadCore, t.loadPath, strconv.Itoa(port), strconv.Itoa(s.connections), fmt.Sprint(length.Seconds())).Output()
	if err != nil {
		return r, fmt.Errorf("load: %w", err)
	}
	var seconds float64
	if _, err := fmt.Sscanf(string(printed), "requests %d failed %d seconds %f p50 %d p99 %d", &r.requests, &r.failed, &seconds, &r.p50, &r.p99); err != nil {
		return r, fmt.Errorf("load printed %q: %w", printed, err)
	}
	r.rate = float64(r.requests) / seconds
	return r, nil
}

// What wrk prints.
var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in`)
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkShare  = regexp.MustCompile(`(\d+)%\s+([\d.]+[a-z]+)`)
	wrkFailed = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: connect (\d+), read (\d+), write (\d+)`)
)

// wrk is the generator that knows TLS.
func wrk(ctx context.Context, s scenario, port int, length time.Duration) (r result, err error) {
	url := fmt.Sprintf("https://127.0.0.1:%d/", port)
	printed, err := pinned(ctx, loadCore, "wrk", "-t1", "-c"+strconv.Itoa(s.connections), fmt.Sprintf("-d%ds", int(length.Seconds())), "--latency", url).Output()
	if err != nil {
		return r, fmt.Errorf("wrk: %w", err)
	}
	total, rate := wrkTotal.FindSubmatch(printed), wrkRate.FindSubmatch(printed)
	if total == nil || rate == nil {
		return r, fmt.Errorf("wrk printed\n%s", printed)
	}
	r.requests, _ = strconv.Atoi(string(total[1]))
	r.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	for _, m := range wrkShare.FindAllSubmatch(printed, -1) {
		d, err := time.ParseDuration(string(m[2]))
		if err != nil {
			return r, err
		}
		switch string(m[1]) {
		case "50":
			r.p50 = int(d.Microseconds())
		case "99":
			r.p99 = int(d.Microseconds())
		}
	}
	for _, m := range wrkFailed.FindAllSubmatch(printed, -1) {
		for _, n := range m[1:] {
			count, _ := strconv.Atoi(string(n)) // "" where the other form was printed
			r.failed += count
		}
	}
	return r, nil
}
