// Command balance measures the balancer beside nginx and HAProxy, as Debian
// packages them: each on one core, with one worker, its access log off and
// connections to its upstreams kept; the generator of the load and the
// upstreams share the other core. The balancer's health checks, metrics and
// retries are on.
//
//	core 0                        core 1                core 0
//	load ──64 or 512 connections──> one of the proxies ──> three upstreams
//
// Then it looks at the balancer alone: what fails when an upstream is killed,
// what a slow one costs, and what 10,000 idle connections take.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/checkout"
	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
)

// settings of a measurement.
type settings struct {
	length time.Duration // of each run
	rounds int
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == slowFlag {
		process.End("balance", slowUpstream(os.Args[2], os.Args[3]))
		return
	}
	var s settings
	flag.DurationVar(&s.length, "length", time.Second, "how long each run takes, at least a second")
	flag.IntVar(&s.rounds, "rounds", 15, "how many rounds; the middle one counts")
	flag.Parse()
	process.Main("balance", func(ctx context.Context, place string) error {
		c := contest{settings: s, place: place, out: os.Stdout}
		return c.measure(ctx)
	})
}

// scenario is one kind of load on all proxies.
type scenario struct {
	name        string
	body        int // bytes of each answer
	connections int
	secure      bool
}

func scenarios() []scenario {
	return []scenario{
		{"100B", 100, 64, false},
		{"16K", 16 << 10, 64, false},
		{"512c", 100, 512, false},
		{"tls", 100, 64, true},
	}
}

// contest is all that is measured together.
type contest struct {
	settings
	place   string
	out     io.Writer
	program server.Program
	tools   tools
}

func (c *contest) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format, args...) }

func (c *contest) measure(ctx context.Context) error {
	if runtime.NumCPU() < 2 {
		return errors.New("it takes two cores: one for the proxy, one for the others")
	}
	if err := install(ctx, c.out); err != nil {
		return err
	}
	var err error
	if c.program, err = server.Build(ctx, c.place); err != nil {
		return err
	}
	if c.tools, err = buildTools(ctx, c.place); err != nil {
		return err
	}
	found := make(map[string]runs)
	for i, s := range scenarios() {
		if found[s.name], err = c.compare(ctx, s, i == 0); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	t, err := c.trouble(ctx)
	if err != nil {
		return err
	}
	idle, err := c.idle(ctx)
	if err != nil {
		return fmt.Errorf("idle connections: %w", err)
	}
	c.report(found, t, idle)
	return nil
}

// install sees to the peers and the tools.
func install(ctx context.Context, out io.Writer) error {
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "scripts", "peers"),
		"nginx=nginx-light", "haproxy=haproxy", "wrk=wrk", "gcc=gcc", "taskset=util-linux")
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("what is compared, or what compares, is missing: %w", err)
	}
	return nil
}

// runs are the results of each proxy, one a round.
type runs map[string][]result

// compare puts one load on all proxies, in turns.
func (c *contest) compare(ctx context.Context, s scenario, show bool) (found runs, err error) {
	ports, up, err := c.tools.startUpstreams(ctx, s.body)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	found = make(runs)
	proxies := c.proxies(s.secure)
	for _, p := range proxies {
		if err := p.start(ctx, ports); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		defer func() { err = errors.Join(err, p.process.Stop()) }()
		if show {
			c.say("%s: %s\n%s\n\n", p.version(ctx), strings.Join(p.process.Args(), " "), p.text)
		}
		if _, err := c.tools.load(ctx, s, p.port, time.Second); err != nil { // to warm up
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for range c.rounds {
		for _, p := range proxies {
			r, err := c.run(ctx, s, p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			found[p.name] = append(found[p.name], r)
		}
	}
	c.say("%-5s %10s %12s %9s %9s   rounds\n", s.name, "requests/s", "CPU us each", "p50 us", "p99 us")
	for _, p := range proxies {
		r := middle(found[p.name])
		c.say("%-9s %6.0f %12.2f %9d %9d   %s\n", p.name, r.rate, r.cpu, r.p50, r.p99, rates(found[p.name]))
	}
	c.say("\n")
	return found, nil
}

// run puts a load on one proxy.
func (c *contest) run(ctx context.Context, s scenario, p *proxy) (r result, err error) {
	before, err := p.process.CPU()
	if err != nil {
		return r, err
	}
	if r, err = c.tools.load(ctx, s, p.port, c.length); err != nil {
		return r, err
	}
	after, err := p.process.CPU()
	if err != nil {
		return r, err
	}
	r.cpu = float64((after - before).Microseconds()) / float64(r.requests)
	if r.failed > 0 {
		return r, fmt.Errorf("%d of %d requests failed", r.failed, r.requests)
	}
	return r, nil
}

// middle is the round in the middle, by rate.
func middle(of []result) result {
	sorted := slices.SortedFunc(slices.Values(of), func(a, b result) int { return cmp.Compare(a.rate, b.rate) })
	return sorted[len(sorted)/2]
}

func rates(of []result) string {
	texts := make([]string, len(of))
	for i, r := range of {
		texts[i] = fmt.Sprintf("%.0f", r.rate)
	}
	return strings.Join(texts, " ")
}

// ratio is that of two proxies in the middle of the rounds. The machine's speed
// changes from one second to the next: what ran one right after the other is
// compared, and not the best moment of the one with the worst of the other.
func (r runs) ratio(of, to string, value func(result) float64) float64 {
	ratios := make([]float64, len(r[of]))
	for i := range ratios {
		ratios[i] = value(r[of][i]) / value(r[to][i])
	}
	slices.Sort(ratios)
	return ratios[(len(ratios)-1)/2]
}

// report prints the bars.
func (c *contest) report(found map[string]runs, t trouble, idle float64) {
	const digits = "bar balance/%s %.3f\n"
	rate := func(r result) float64 { return r.rate }
	for _, name := range []string{"100B", "16K", "512c"} {
		c.say(digits, "nginx-rps-"+name, found[name].ratio(ours, nginx, rate))
	}
	small := found["100B"]
	c.say(digits, "nginx-cpu-100B", small.ratio(nginx, ours, func(r result) float64 { return r.cpu }))
	c.say(digits, "haproxy-rps-100B", small.ratio(ours, haproxy, rate))
	c.say(digits, "nginx-p99", small.ratio(ours, nginx, func(r result) float64 { return float64(r.p99) }))
	c.say(digits, "nginx-tls", found["tls"].ratio(ours, nginx, rate))
	c.say("bar balance/failed-on-kill %d\n", t.failed)
	c.say(digits, "slow-p99", t.slow)
	c.say("bar balance/idle-mb %.1f\n", idle)
}
