package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// How the balancer alone is looked at.
const (
	steadyRate    = 2000 // requests/s, whether answered or not
	steadyLength  = 6 * time.Second
	killAfter     = 2 * time.Second
	steadyLimit   = 10 * time.Second // for one request
	steadyWaiting = 4096             // requests at a time, beyond which the run is void
	healthyDelay  = 2 * time.Millisecond
	slowDelay     = 20 * healthyDelay
	idleCount     = 10_000
)

// slowFlag makes this program an upstream that takes its time:
// balance -slow-upstream PORT DELAY.
const slowFlag = "-slow-upstream"

// slowUpstream answers every request after a while.
func slowUpstream(port, delay string) error {
	d, err := time.ParseDuration(delay)
	if err != nil {
		return err
	}
	s := &http.Server{
		Addr: "127.0.0.1:" + port, ReadHeaderTimeout: steadyLimit,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "done\n") // whoever left does not read it
		}),
	}
	return s.ListenAndServe()
}

// trouble is what came of upstreams that die or are slow.
type trouble struct {
	failed int
	slow   float64 // p99 with one slow upstream over p99 with none
}

// trouble kills one of three upstreams under a steady load, and makes one of
// three slow.
func (c *contest) trouble(ctx context.Context) (t trouble, err error) {
	died, err := c.steady(ctx, healthyDelay, func(up []*process.Process) error { return up[0].Kill() })
	if err != nil {
		return t, fmt.Errorf("an upstream is killed: %w", err)
	}
	t.failed = died.failed
	healthy, err := c.steady(ctx, healthyDelay, nil)
	if err != nil {
		return t, fmt.Errorf("all upstreams are well: %w", err)
	}
	slow, err := c.steady(ctx, slowDelay, nil)
	if err != nil {
		return t, fmt.Errorf("an upstream is slow: %w", err)
	}
	t.slow = slow.p99.Seconds() / healthy.p99.Seconds()
	c.say("%d requests/s, one of three upstreams is killed: %d of %d failed, p99 %v\n", steadyRate, died.failed, died.requests, died.p99)
	c.say("three upstreams of %v: p99 %v; one of them takes %v: p99 %v\n\n", healthyDelay, healthy.p99, slowDelay, slow.p99)
	return t, nil
}

// steadied is what came of a steady load.
type steadied struct {
	requests, failed int
	p99              time.Duration
}

// steady puts a steady load on the balancer before three upstreams, the first
// of which takes as long as said. happen happens in the middle.
func (c *contest) steady(ctx context.Context, first time.Duration, happen func([]*process.Process) error) (s steadied, err error) {
	var ports []int
	var up []*process.Process
	defer func() {
		for _, p := range up {
			err = errors.Join(err, p.Kill())
		}
	}()
	for i := range upstreams {
		delay := healthyDelay
		if i == 0 {
			delay = first
		}
		port, p, err := startSlow(ctx, delay)
		if err != nil {
			return s, err
		}
		ports, up = append(ports, port), append(up, p)
	}
	p := c.proxies(false)[0]
	if err := p.start(ctx, ports); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.process.Stop()) }()
	if happen == nil {
		return offer(ctx, p.port, nil)
	}
	return offer(ctx, p.port, func() error { return happen(up) })
}

func startSlow(ctx context.Context, delay time.Duration) (port int, p *process.Process, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	if port, err = freePort(); err != nil {
		return 0, nil, err
	}
	if p, err = process.Start(exec.CommandContext(ctx, self, slowFlag, strconv.Itoa(port), delay.String())); err != nil {
		return 0, nil, err
	}
	err = p.Ready(ctx, answers(port, false))
	return port, p, err
}

// offer offers requests at a steady rate, each at its time, whatever became of
// those before.
func offer(ctx context.Context, port int, happen func() error) (s steadied, err error) {
	client := &http.Client{Timeout: steadyLimit, Transport: &http.Transport{MaxIdleConnsPerHost: steadyWaiting}}
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	var mu sync.Mutex // guards s and took
	var took []time.Duration
	ask := func(due time.Time) {
		err := get(ctx, client, url)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(due))
		if s.requests++; err != nil {
			s.failed++
		}
	}
	var asking sync.WaitGroup
	room := make(chan struct{}, steadyWaiting)
	begin := time.Now()
	for n := range int(steadyRate * steadyLength / time.Second) {
		due := begin.Add(time.Duration(n) * time.Second / steadyRate)
		time.Sleep(time.Until(due))
		if happen != nil && time.Since(begin) >= killAfter {
			if err := happen(); err != nil {
				return s, err
			}
			happen = nil
		}
		select {
		case room <- struct{}{}:
		default:
			return s, fmt.Errorf("%d requests wait for their answers: this machine is too busy", steadyWaiting)
		}
		asking.Go(func() {
			ask(due)
			<-room
		})
	}
	asking.Wait()
	client.CloseIdleConnections()
	slices.Sort(took)
	s.p99 = took[len(took)*99/100]
	return s, nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// idle is what the balancer's memory is with many connections that each had a
// request answered and are silent since, in MB.
func (c *contest) idle(ctx context.Context) (mb float64, err error) {
	ports, up, err := c.tools.startUpstreams(ctx, 100)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	p := c.proxies(false)[0]
	if err := p.start(ctx, ports); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.process.Stop()) }()
	conns := make([]net.Conn, 0, idleCount)
	defer func() {
		for _, conn := range conns {
			err = errors.Join(err, conn.Close())
		}
	}()
	answer := make([]byte, 4096)
	for range idleCount {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err != nil {
			return 0, err
		}
		conns = append(conns, conn)
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", p.port); err != nil {
			return 0, err
		}
		if _, err := conn.Read(answer); err != nil {
			return 0, err
		}
	}
	bytes, err := p.process.Memory()
	c.say("%d idle connections: %.1f MB resident\n\n", idleCount, float64(bytes)/1e6)
	return float64(bytes) / 1e6, err
}
