package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// starting is how long a process may live at most that is killed while it
// starts.
const starting = 100 * time.Millisecond

// member is one process that is killed and started again.
type member struct {
	name    string
	start   func() (*process.Process, error)
	process *process.Process
	deaths  int
}

// cast is everybody: the server first, then workers, then clients.
type cast struct {
	settings
	place   string
	address string
	members []*member
}

// newCast starts everybody.
func newCast(ctx context.Context, s settings, place string) (c *cast, err error) {
	c = &cast{settings: s, place: place}
	program, err := server.Build(ctx, place)
	if err != nil {
		return nil, err
	}
	if c.address, err = addresstest.Any(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	add := func(name string, command func() *exec.Cmd) {
		c.members = append(c.members, &member{name: name, start: func() (*process.Process, error) { return process.Start(command()) }})
	}
	add("server", func() *exec.Cmd {
		return program.Command(ctx, "server", "--data", filepath.Join(place, "data"), "--listen", c.address)
	})
	for range s.workers {
		add("worker", func() *exec.Cmd { return exec.CommandContext(ctx, self, workerRole, c.url()) })
	}
	for i := range s.clients {
		add("client", func() *exec.Cmd {
			return exec.CommandContext(ctx, self, clientRole, c.url(), strconv.Itoa(i), c.book(i))
		})
	}
	for _, m := range c.members {
		if m.process, err = m.start(); err != nil {
			return nil, errors.Join(err, c.end())
		}
	}
	return c, nil
}

func (c *cast) url() string { return "http://" + c.address }

// book is the path of a client's book.
func (c *cast) book(client int) string { return filepath.Join(c.place, fmt.Sprint("book-", client)) }

// kill kills one after the other until the time is over. Nobody may end by
// itself.
func (c *cast) kill(ctx context.Context, random *rand.Rand) error {
	for end := time.Now().Add(c.length); time.Now().Before(end); {
		if err := process.Pause(ctx, time.Duration(random.Int64N(int64(c.longest)))); err != nil {
			return err
		}
		if err := c.alive(); err != nil {
			return err
		}
		m := c.members[c.pick(random)]
		for again := true; again; again = random.IntN(4) == 0 {
			if err := m.again(); err != nil {
				return err
			}
			if err := process.Pause(ctx, time.Duration(random.Int64N(int64(starting)))); err != nil {
				return err
			}
		}
	}
	return c.alive()
}

// pick chooses whom to kill: each kind as often as the others.
func (c *cast) pick(random *rand.Rand) int {
	switch random.IntN(3) {
	case 0:
		return 0
	case 1:
		return 1 + random.IntN(c.workers)
	default:
		return 1 + c.workers + random.IntN(c.clients)
	}
}

// again kills a process and starts it again.
func (m *member) again() (err error) {
	if err := m.process.Kill(); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	m.deaths++
	m.process, err = m.start()
	return err
}

// alive is an error if somebody ended by itself.
func (c *cast) alive() error {
	for _, m := range c.members {
		select {
		case <-m.process.Ended():
			return fmt.Errorf("a %s ended by itself: %w", m.name, m.process.Err())
		default:
		}
	}
	return nil
}

// rest asks the clients to bring what is under way to its end, and no more.
func (c *cast) rest() error {
	var errs []error
	for _, m := range c.members[1+c.workers:] {
		errs = append(errs, m.process.Stop())
	}
	return errors.Join(errs...)
}

// end kills whoever is left.
func (c *cast) end() error {
	var errs []error
	for _, m := range c.members {
		if m.process == nil {
			continue // it never started
		}
		select {
		case <-m.process.Ended():
		default:
			errs = append(errs, m.process.Kill())
		}
	}
	return errors.Join(errs...)
}

// deaths says how often each kind was killed.
func (c *cast) deaths() string {
	var names []string
	count := make(map[string]int)
	for _, m := range c.members {
		if _, ok := count[m.name]; !ok {
			names = append(names, m.name)
		}
		count[m.name] += m.deaths
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d times", name, count[name])
	}
	return strings.Join(names, ", ")
}
