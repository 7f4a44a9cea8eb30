package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/bench/server"
)

const (
	countEvery = 50 * time.Millisecond
	countFor   = 2 * time.Second  // at the start: what is there now and then is no floor
	emptyFor   = 20 * time.Second // at the end: more than any connection may be idle
)

// census is what the balancer has.
type census struct{ descriptors, goroutines int }

func (c census) String() string {
	return fmt.Sprintf("%d descriptors and %d goroutines", c.descriptors, c.goroutines)
}

// over is what is more than before.
func (c census) over(before census) census {
	return census{max(0, c.descriptors-before.descriptors), max(0, c.goroutines-before.goroutines)}
}

// count counts once.
func (c *cast) count(ctx context.Context) (now census, err error) {
	s := &server.Server{Process: c.balancer, URL: "http://" + c.manage}
	goroutines, err := s.Metric(ctx, "go_goroutines")
	if err != nil {
		return now, err
	}
	http.DefaultClient.CloseIdleConnections() // what asks is not counted
	pause(ctx, countEvery)
	list, err := os.ReadDir(c.descriptors())
	return census{len(list), int(goroutines)}, err
}

// descriptors is where the system lists them.
func (c *cast) descriptors() string { return fmt.Sprintf("/proc/%d/fd", c.balancer.Pid()) }

// least counts for some time, until enough says so, and gives the least of each:
// health checks come and go.
func (c *cast) least(ctx context.Context, length time.Duration, enough func(census) bool) (census, error) {
	least, err := c.count(ctx)
	for end := time.Now().Add(length); err == nil && time.Now().Before(end) && !enough(least); {
		var now census
		if now, err = c.count(ctx); err == nil {
			least = census{min(least.descriptors, now.descriptors), min(least.goroutines, now.goroutines)}
		}
	}
	return least, errors.Join(err, ctx.Err())
}

// baseline counts before there was any client.
func (c *cast) baseline(ctx context.Context) (census, error) {
	return c.least(ctx, countFor, func(census) bool { return false })
}

// leaks counts after all clients have left.
func (c *cast) leaks(ctx context.Context, before census) (census, error) {
	return c.least(ctx, emptyFor, func(now census) bool { return now.over(before) == census{} })
}

// obituary ends a balancer that has more than it should so that it says what its
// goroutines do, and says where that is to be read.
func (c *cast) obituary(more census) string {
	if more == (census{}) {
		return ""
	}
	var open []string
	list, err := os.ReadDir(c.descriptors())
	for _, d := range list {
		if to, err := os.Readlink(filepath.Join(c.descriptors(), d.Name())); err == nil {
			open = append(open, to)
		}
	}
	slices.Sort(open)
	err = errors.Join(err, syscall.Kill(c.balancer.Pid(), syscall.SIGQUIT))
	<-c.balancer.Ended()
	text, reading := os.ReadFile(c.log.Name())
	path := filepath.Join(os.TempDir(), fmt.Sprintf("balance-%d.log", c.seed))
	err = errors.Join(err, reading, os.WriteFile(path, text, 0o600))
	return fmt.Sprintf("\n%s has what the goroutines do (%v); open are:\n%s\n", path, err, strings.Join(open, "\n"))
}
