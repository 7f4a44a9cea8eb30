package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polymath-run/polymath/bench/process"
	"github.com/polymath-run/polymath/bench/server"
	"github.com/polymath-run/polymath/internal/addresstest"
)

// upstreams are how many servers there are.
const upstreams = 4

// member is an upstream.
type member struct {
	plain, secure string // addresses
	journal       string
	process       *process.Process
	stopped       bool
}

// url is what the balancer calls it.
func (m *member) url() string { return "http://" + m.plain }

// start starts its process, which may need some milliseconds to listen.
func (m *member) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	m.process, err = process.Start(exec.CommandContext(ctx, self, upstreamRole, m.plain, m.secure, m.journal))
	m.stopped = false
	return err
}

// listens is whether it can be connected to.
func (m *member) listens(ctx context.Context) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", m.plain)
	if err != nil {
		return err
	}
	return nc.Close()
}

// signal sends a signal to its process.
func (m *member) signal(s syscall.Signal) error { return syscall.Kill(m.process.Pid(), s) }

// cast is everybody but the clients.
type cast struct {
	settings
	place                 string
	plain, secure, manage string // addresses of the balancer
	further, manageToo    string // that it has at times
	balancer              *process.Process
	log                   *os.File
	admin                 *manager
	members               []*member
	visitors              int
	counts                map[string]int // what happened, how often
}

// newCast starts everybody.
func newCast(ctx context.Context, s settings, place string) (c *cast, err error) {
	c = &cast{settings: s, place: place, counts: make(map[string]int)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.end())
		}
	}()
	program, err := server.Build(ctx, place)
	if err != nil {
		return c, err
	}
	for i := range upstreams {
		m := &member{journal: filepath.Join(place, fmt.Sprint("journal-", i))}
		if err := addresses(&m.plain, &m.secure); err != nil {
			return c, err
		}
		if err := m.start(ctx); err != nil {
			return c, err
		}
		c.members = append(c.members, m)
	}
	if err := addresses(&c.plain, &c.secure, &c.manage, &c.further, &c.manageToo); err != nil {
		return c, err
	}
	if err := c.certificate(); err != nil {
		return c, err
	}
	if err := c.write(c.normal()); err != nil {
		return c, err
	}
	if c.log, err = os.Create(filepath.Join(place, "balancer.log")); err != nil {
		return c, err
	}
	cmd := program.Command(ctx, "balance", "--config", c.file(), "--verbose")
	cmd.Stderr = c.log
	if c.balancer, err = process.Start(cmd); err != nil {
		return c, err
	}
	c.admin = newManager(c.manage, c.manageToo)
	return c, c.balancer.Ready(ctx, c.well)
}

// addresses finds free addresses.
func addresses(into ...*string) (err error) {
	for _, a := range into {
		if *a, err = addresstest.Any(); err != nil {
			return err
		}
	}
	return nil
}

// well is whether all upstreams are up and none other is there.
func (c *cast) well(ctx context.Context) error {
	list, err := c.admin.list(ctx)
	if err != nil {
		return err
	}
	if len(list) != len(c.members) {
		return fmt.Errorf("there are %d upstreams", len(list))
	}
	for i := range list {
		if u := &list[i]; u.State != "up" || u.Breaker != "closed" {
			return fmt.Errorf("%s is %s, its breaker %s: %s", u.Name, u.State, u.Breaker, u.Why)
		}
	}
	return nil
}

// alive is an error if the balancer ended by itself.
func (c *cast) alive() error {
	select {
	case <-c.balancer.Ended():
		return fmt.Errorf("the balancer ended by itself: %w\n%s", c.balancer.Err(), c.said())
	default:
		return nil
	}
}

// said is what the balancer said last.
func (c *cast) said() string {
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4<<10):])
}

// heal has every upstream run and nothing else, as at the start.
func (c *cast) heal(ctx context.Context) error {
	for _, m := range c.members {
		if m.stopped {
			m.stopped = false
			if err := m.signal(syscall.SIGCONT); err != nil {
				return err
			}
		}
	}
	if err := c.write(c.normal()); err != nil {
		return err
	}
	if err := c.admin.reload(ctx); err != nil {
		return err
	}
	list, err := c.admin.list(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		u := &list[i]
		if !slices.ContainsFunc(c.members, func(m *member) bool { return m.url() == u.Name }) {
			if err := c.admin.remove(ctx, u.Name); err != nil && u.State != "leaving" {
				return err
			}
			continue
		}
		if err := c.admin.change(ctx, u.Name, map[string]any{"weight": 1, "drain": false}, 0); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.balancer.Ready(ctx, c.well)
}

// twice looks for what was done twice and must not be.
func (c *cast) twice(t *tally) error {
	done := make(map[string]bool)
	for _, m := range c.members {
		text, err := os.ReadFile(m.journal)
		if err != nil {
			return err
		}
		for id := range strings.Lines(string(text)) {
			if done[id] {
				t.note("journal", "", fmt.Errorf("POST %s was done twice", strings.TrimSpace(id)))
			}
			done[id] = true
		}
	}
	return nil
}

// end kills whoever is left.
func (c *cast) end() error {
	var errs []error
	all := []*process.Process{c.balancer}
	for _, m := range c.members {
		all = append(all, m.process)
	}
	for _, p := range all {
		if p == nil {
			continue // it never started
		}
		select {
		case <-p.Ended():
		default:
			errs = append(errs, p.Kill())
		}
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	return errors.Join(errs...)
}

// happened says what happened, and how often.
func (c *cast) happened() string {
	var out []string
	for what, n := range c.counts {
		out = append(out, fmt.Sprintf("%s %d times", what, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// pause waits, or until ctx ends, which whoever waits sees himself.
func pause(ctx context.Context, d time.Duration) { _ = process.Pause(ctx, d) }
