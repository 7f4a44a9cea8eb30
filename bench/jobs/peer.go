package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"github.com/polymath-run/polymath/bench/checkout"
)

// What is known of the peers, in jobs/s end to end with syncs of
// referenceSync; how they were driven is how they are driven here.
const (
	knownRiver         = 2800
	knownRiverBulk     = 13_500
	knownAsynqAlways   = 3600
	knownAsynqEverysec = 9100
)

// install installs one peer's program where it is missing and can be; it tells
// whether it is there.
func install(ctx context.Context, out io.Writer, program, pkg string) (bool, error) {
	root, err := checkout.Root()
	if err != nil {
		return false, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(root, "scripts", "peers"), program+"="+pkg)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run() == nil, ctx.Err()
}

// peers are all systems we are compared with that can run here. missing names
// the others.
func peers(ctx context.Context, out io.Writer, place string) (all []*entrant, missing []string, err error) {
	for _, p := range []struct {
		name, program, pkg string
		make               func(context.Context, io.Writer, string) ([]*entrant, error)
	}{
		{"River", "postgres", "postgresql", riverEntrants},
		{"Asynq", "redis-server", "redis-server", asynqEntrants},
	} {
		there, err := install(ctx, out, p.program, p.pkg)
		if err != nil {
			return nil, nil, err
		}
		if !there {
			missing = append(missing, p.name)
			continue
		}
		entrants, err := p.make(ctx, out, place)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, entrants...)
	}
	return all, missing, nil
}

// riverEntrants is River, with one job a call and in bulk.
func riverEntrants(ctx context.Context, out io.Writer, place string) ([]*entrant, error) {
	cluster, err := newPostgres(ctx, place)
	if err != nil {
		return nil, err
	}
	version, err := cluster.version(ctx)
	if err != nil {
		return nil, err
	}
	say(out, "River %s on %s, in bulk by InsertManyFast\n", moduleVersion("github.com/riverqueue/river"), version)
	variants := func() []variant {
		return []variant{
			{"64 workers", &riverSystem{postgres: cluster, slots: 64}},
			{"512 workers", &riverSystem{postgres: cluster, slots: 512}},
			{"512 workers, commit_delay=300 us", &riverSystem{postgres: cluster, slots: 512, settings: []string{"commit_delay=300"}}},
		}
	}
	return []*entrant{
		{name: "river", variants: variants(), batch: 1, known: knownRiver, synced: true},
		{name: "river-bulk", variants: variants(), batch: bulk, known: knownRiverBulk, synced: true},
	}, nil
}

// asynqEntrants is Asynq with both settings of Redis that keep something.
func asynqEntrants(ctx context.Context, out io.Writer, _ string) ([]*entrant, error) {
	version, err := exec.CommandContext(ctx, "redis-server", "--version").Output()
	if err != nil {
		return nil, err
	}
	say(out, "Asynq %s on %s", moduleVersion("github.com/hibiken/asynq"), version)
	_, err = exec.LookPath("strace")
	traceable := err == nil
	variants := func(sync string) []variant {
		var all []variant
		for _, servers := range []int{1, 4} {
			label := fmt.Sprintf("appendfsync %s, %d x %d workers", sync, servers, asynqSlots)
			all = append(all, variant{label, &asynqSystem{redis: &redisServer{sync: sync, traceable: traceable}, servers: servers}})
		}
		return all
	}
	return []*entrant{
		{name: "asynq-always", variants: variants("always"), batch: 1, known: knownAsynqAlways, synced: true},
		{name: "asynq-everysec", variants: variants("everysec"), batch: 1, known: knownAsynqEverysec},
	}, nil
}

// moduleVersion is the version of a module this program was built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "of unknown version"
}
