// Package process runs the servers and workers that are measured, each as a
// process of its own, so that what they cost can be told from what measuring
// costs and so that they can be killed.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Bounds of what is done with a process.
const (
	patience   = 20 * time.Second // for a process that was asked to end
	probeEvery = 2 * time.Millisecond
	keptBytes  = 4096 // of what it says last, for its obituary
)

// Process is a program that was started and is waited for.
type Process struct {
	cmd   *exec.Cmd
	said  tail
	ended chan struct{} // closed once it is gone; err is set before
	err   error
}

// Start starts a command in a process group of its own, so that an interrupt
// from the terminal reaches only the measurement, which then ends it properly.
// What it writes to outputs that cmd does not name is kept in part, for errors.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	for _, out := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		if *out == nil {
			*out = &p.said
		}
	}
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Args are the command and its arguments.
func (p *Process) Args() []string { return p.cmd.Args }

// Ended is closed once the process is gone, for whatever reason.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err says why a process that has ended did: what it said last, and its exit.
// It is nil after a proper end.
func (p *Process) Err() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", p.cmd.Path, p.err, p.said.String())
}

// Stop asks the process to end and waits for it; after 20 s it is killed. A
// process that went by the signal alone ended properly.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not end within %v and was killed\n%s", p.cmd.Path, patience, p.said.String()), p.Kill())
	}
	if p.signalled(syscall.SIGTERM) {
		return nil
	}
	return p.Err()
}

// Kill kills the process and all of its group with SIGKILL and waits until it
// is gone. It is an error if it had ended before of itself, with a failure.
func (p *Process) Kill() error {
	if err := syscall.Kill(-p.Pid(), syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-p.ended
	if p.signalled(syscall.SIGKILL) {
		return nil
	}
	return p.Err()
}

// Ready calls probe every other millisecond until it succeeds once. It gives
// up, with the last failure, after 20 s or as soon as the process has ended.
func (p *Process) Ready(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready: %w", p.cmd.Path, errors.Join(p.Err(), err))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.cmd.Path, err, p.said.String())
		}
	}
}

// signalled tells whether it ended by a signal.
func (p *Process) signalled(by syscall.Signal) bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == by
}

// tail keeps the last bytes that were written.
type tail struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(b)
	if over := t.kept.Len() - keptBytes; over > 0 {
		t.kept.Next(over)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
