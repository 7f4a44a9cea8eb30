package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

const (
	longestDeath = 700 * time.Millisecond  // of an upstream that was killed
	longestStop  = 1500 * time.Millisecond // more than it may take to answer

	// calmTimes is how often each client acts while there is calm.
	calmTimes = 5
)

// trouble makes trouble for so long, with clients of all sorts.
func (c *cast) trouble(ctx context.Context, t *tally, random *rand.Rand, length time.Duration) error {
	visiting, leave := context.WithCancel(ctx)
	var clients sync.WaitGroup
	clients.Go(func() { c.visit(visiting, t, 0) })
	defer clients.Wait()
	defer leave()
	for end := time.Now().Add(length); time.Now().Before(end); {
		if err := process.Pause(ctx, time.Duration(random.Int64N(int64(c.longest)))); err != nil {
			return err
		}
		if err := c.alive(); err != nil {
			return err
		}
		happen := []func(context.Context, *rand.Rand) error{
			c.kill, c.stop, c.slow, c.restart, c.killTwo, c.reload, c.reloadBad, c.watched, c.drain, c.weigh, c.addAndRemove,
		}[random.IntN(11)]
		if err := happen(ctx, random); err != nil {
			return err
		}
	}
	return c.heal(ctx)
}

// calm has clients of all sorts come while nothing happens.
func (c *cast) calm(ctx context.Context, t *tally) error {
	if err := c.heal(ctx); err != nil {
		return fmt.Errorf("not everybody is well again: %w\n%s", err, c.said())
	}
	c.visit(ctx, t, calmTimes)
	return errors.Join(ctx.Err(), c.alive())
}

func (c *cast) any(random *rand.Rand) *member { return c.members[random.IntN(len(c.members))] }

// kill kills an upstream and starts it again.
func (c *cast) kill(ctx context.Context, random *rand.Rand) error {
	c.counts["killed"]++
	m := c.any(random)
	if err := m.process.Kill(); err != nil {
		return err
	}
	pause(ctx, time.Duration(random.Int64N(int64(longestDeath))))
	return m.start(ctx)
}

// killTwo kills two at once.
func (c *cast) killTwo(ctx context.Context, random *rand.Rand) error {
	c.counts["two killed"]++
	two := random.Perm(len(c.members))[:2]
	for _, i := range two {
		if err := c.members[i].process.Kill(); err != nil {
			return err
		}
	}
	for _, i := range two {
		pause(ctx, time.Duration(random.Int64N(int64(longestDeath))))
		if err := c.members[i].start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop has an upstream stand still for some time.
func (c *cast) stop(ctx context.Context, random *rand.Rand) error {
	c.counts["stopped"]++
	m := c.any(random)
	m.stopped = true
	if err := m.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, time.Duration(random.Int64N(int64(longestStop))))
	m.stopped = false
	return m.signal(syscall.SIGCONT)
}

// slow has an upstream be slow for some time. One that was just started has to
// know the signal first: it would die of it.
func (c *cast) slow(ctx context.Context, random *rand.Rand) error {
	c.counts["slow"]++
	m := c.any(random)
	if err := m.process.Ready(ctx, m.listens); err != nil {
		return err
	}
	return m.signal(syscall.SIGUSR1)
}

// restart ends an upstream in order and starts it again.
func (c *cast) restart(ctx context.Context, random *rand.Rand) error {
	c.counts["restarted"]++
	m := c.any(random)
	if err := m.process.Stop(); err != nil {
		return err
	}
	return m.start(ctx)
}

// reload has another configuration read.
func (c *cast) reload(ctx context.Context, random *rand.Rand) error {
	c.counts["reloaded"]++
	if err := c.write(c.other(random)); err != nil {
		return err
	}
	return c.admin.reload(ctx)
}

// reloadBad has a file read that is wrong.
func (c *cast) reloadBad(ctx context.Context, random *rand.Rand) error {
	c.counts["reloaded in vain"]++
	text := c.bad(random)
	if err := c.write(text); err != nil {
		return err
	}
	err := c.admin.reload(ctx)
	if statusOf(err) != http.StatusBadRequest {
		return fmt.Errorf("a wrong file was taken: %w\n%s", err, text)
	}
	return nil
}

// watched changes the file and leaves it to the balancer to find out.
func (c *cast) watched(_ context.Context, random *rand.Rand) error {
	c.counts["rewritten"]++
	if random.IntN(4) == 0 {
		return c.write(c.bad(random))
	}
	return c.write(c.other(random))
}

// gone makes an error of an upstream that is not there nothing: a file that was
// read meanwhile may have taken it away.
func gone(err error) error {
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

// statusOf is the status of an answer that says no; else 0.
func statusOf(err error) int {
	if no, ok := errors.AsType[*statusError](err); ok {
		return no.status
	}
	return 0
}

// drain drains an upstream, waits for it sometimes, and lets it resume.
func (c *cast) drain(ctx context.Context, random *rand.Rand) error {
	c.counts["drained"]++
	name := c.any(random).url()
	if err := c.admin.change(ctx, name, map[string]any{"drain": true}, time.Duration(random.IntN(2))*time.Second); gone(err) != nil {
		return fmt.Errorf("drain: %w", err)
	}
	pause(ctx, time.Duration(random.Int64N(int64(longestDeath))))
	return gone(c.admin.change(ctx, name, map[string]any{"drain": false}, 0))
}

// weigh gives an upstream another weight.
func (c *cast) weigh(ctx context.Context, random *rand.Rand) error {
	c.counts["weighed"]++
	return gone(c.admin.change(ctx, c.any(random).url(), map[string]any{"weight": random.IntN(6)}, 0))
}

// addAndRemove adds an upstream under another name, and takes it away again.
func (c *cast) addAndRemove(ctx context.Context, random *rand.Rand) error {
	c.counts["added and removed"]++
	m := c.any(random)
	name := "https://" + m.secure
	if random.IntN(2) == 0 {
		name = "http://localhost" + m.plain[len("127.0.0.1"):]
	}
	if err := c.admin.add(ctx, name, random.IntN(3) == 0); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	pause(ctx, time.Duration(random.Int64N(int64(longestDeath))))
	return gone(c.admin.remove(ctx, name))
}
