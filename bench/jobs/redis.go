package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/polymath-run/polymath/bench/process"
)

// redisServer is a server of its own, which listens on a Unix socket alone.
type redisServer struct {
	sync      string // appendfsync: always or everysec
	traceable bool   // whether strace is here
	traced    bool   // under strace, which counts the syncs and slows the rest
	dir       string
	process   *process.Process // nil while it does not run
	client    *redis.Client
}

// start starts an empty server whose files lie below dir. It keeps the log
// of commands, which is its durable form, and never rewrites it during a run.
func (r *redisServer) start(ctx context.Context, dir string) (err error) {
	r.dir = dir
	args := []string{
		"redis-server", "--port", "0", "--unixsocket", r.socket(), "--dir", dir,
		"--appendonly", "yes", "--appendfsync", r.sync, "--save", "", "--auto-aof-rewrite-percentage", "0",
	}
	if r.traced {
		args = append([]string{"strace", "-f", "--seccomp-bpf", "-c", "-e", "trace=fsync,fdatasync", "-o", r.counts()}, args...)
	}
	if r.process, err = process.Start(exec.CommandContext(ctx, args[0], args[1:]...)); err != nil {
		return err
	}
	const once = -1 // no command is repeated: the last one ends the server
	r.client = redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket(), MaxRetries: once})
	return r.process.Ready(ctx, func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

// socket is where the server is reached.
func (r *redisServer) socket() string { return filepath.Join(r.dir, "redis.sock") }

// counts is where strace writes what it counted.
func (r *redisServer) counts() string { return filepath.Join(r.dir, "strace") }

// syncs ends a traced server and reads how often it synced.
func (r *redisServer) syncs() (int, error) {
	if !r.traced {
		return 0, errNotCounted
	}
	if err := r.stop(); err != nil {
		return 0, err
	}
	table, err := os.ReadFile(r.counts())
	if err != nil {
		return 0, err
	}
	return parseCounts(table)
}

// parseCounts sums the calls in a table of strace -c:
//
//	% time     seconds  usecs/call     calls    errors syscall
//	------ ----------- ----------- --------- --------- ----------------
//	100.00    0.181012          90      2003           fdatasync
func parseCounts(table []byte) (calls int, err error) {
	const callsField = 3
	for line := range bytes.Lines(table) {
		fields := strings.Fields(string(line))
		if len(fields) <= callsField || !strings.HasSuffix(fields[len(fields)-1], "sync") {
			continue
		}
		n, err := strconv.Atoi(fields[callsField])
		if err != nil {
			return 0, fmt.Errorf("%q: %w", line, err)
		}
		calls += n
	}
	if calls == 0 {
		return 0, fmt.Errorf("strace counted no syncs:\n%s", table)
	}
	return calls, nil
}

// stop ends the server by its own command, which strace does not keep from it.
func (r *redisServer) stop() error {
	if r.process == nil {
		return nil
	}
	var err error
	if r.client != nil {
		err = r.client.ShutdownNoSave(context.Background()).Err()
		err = errors.Join(err, r.client.Close())
		r.client = nil
	}
	err = errors.Join(err, r.process.Stop())
	r.process = nil
	return err
}
