package main

import (
	"context"
	"strings"

	"github.com/polymath-run/polymath/bench/process"
)

// What is the same for every system.
const (
	callers     = 64  // who submit, each waiting for its acknowledgement
	workers     = 8   // slots; a system whose workers wait for its server may have more of them, if it is faster so
	inputBytes  = 100 // of a job, as JSON where the system wants JSON
	outputBytes = 50
	bulk        = 100 // jobs a call, where they are submitted in bulk
)

// system is one job queue: its server in a process of its own, and its client
// and workers, by its own packages, in this one. The functions run nothing.
type system interface {
	// start starts an empty server whose files lie below dir, and workers, and
	// returns when all are ready. What one start began, close ends.
	start(ctx context.Context, dir string) error

	// submit hands in one job, and returns its name once it is as durable as
	// the system's settings promise. Many call it at a time.
	submit(ctx context.Context) (job string, err error)

	// wait returns once the result of a job could be read by a client.
	wait(ctx context.Context, job string) error

	// drain returns once n jobs, all since start, have finished, and their
	// results could be read. It fails if there are more.
	drain(ctx context.Context, n int) error

	// server is the process that was started.
	server() *process.Process

	// syncs is how often the server has synced its files since start, or
	// errNotCounted. Nothing is submitted after it.
	syncs(ctx context.Context) (int, error)

	close() error
}

// bulkSystem is a system that takes many jobs in one call.
type bulkSystem interface {
	system

	// submitMany hands in n jobs and returns once they are durable.
	submitMany(ctx context.Context, n int) error
}

// traceable is a system whose server does not tell how often it syncs, but can
// be watched by what slows it.
type traceable interface {
	// trace switches that on or off for the next start, and tells whether it
	// could.
	trace(on bool) bool
}

// text is a text of so many bytes that JSON spells as it is.
func text(bytes int) string { return strings.Repeat("x", bytes) }
