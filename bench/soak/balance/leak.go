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
	samples    = 21               // of one census: health checks come and go, and so does what answers us
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

// census counts for some time and takes the middle of each.
func (c *cast) census(ctx context.Context) (census, error) {
	var descriptors, goroutines []int
	for range samples {
		now, err := c.count(ctx)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return now, err
		}
		descriptors, goroutines = append(descriptors, now.descriptors), append(goroutines, now.goroutines)
	}
	slices.Sort(descriptors)
	slices.Sort(goroutines)
	return census{descriptors[samples/2], goroutines[samples/2]}, nil
}

// leaks counts after all clients have left, until no more is there than before.
func (c *cast) leaks(ctx context.Context, before census) (census, error) {
	for end := time.Now().Add(emptyFor); ; {
		now, err := c.census(ctx)
		if err != nil || now.over(before) == (census{}) || time.Now().After(end) {
			return now, err
		}
	}
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
