package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestPeers runs every variant of every peer that is installed, briefly: an
// acknowledged job must end, once, with a result that can be read.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	place := t.TempDir()
	// The account of a database must be able to reach its files.
	if err := errors.Join(os.Chmod(place, 0o711), os.Chmod(filepath.Dir(place), 0o711)); err != nil {
		t.Fatal(err)
	}
	_, noPostgres := postgresPrograms()
	_, noRedis := exec.LookPath("redis-server")
	for _, peer := range []struct {
		missing  error
		entrants func(context.Context, io.Writer, string) ([]*entrant, error)
	}{{noPostgres, riverEntrants}, {noRedis, asynqEntrants}} {
		if peer.missing != nil {
			t.Logf("NOT TESTED: %v", peer.missing)
			continue
		}
		entrants, err := peer.entrants(t.Context(), t.Output(), place)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entrants {
			for _, v := range e.variants {
				t.Run(e.name+"/"+v.label, func(t *testing.T) { testPeer(t, load{0, e.batch}, v.system, place) })
			}
		}
	}
}

// TestOurs runs our server briefly, with one job a call, in bulk and at a low
// rate.
func TestOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	place := t.TempDir()
	entrants, err := ourEntrants(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entrants {
		t.Run(e.name, func(t *testing.T) { testPeer(t, load{0, e.batch}, e.variants[0].system, place) })
	}
	l, err := measurePace(t.Context(), entrants[0].variants[0].system, place)
	if err != nil || len(l.visible) == 0 {
		t.Errorf("at a low rate: %d results, %v", len(l.visible), err)
	}
}

func testPeer(t *testing.T, l load, s system, place string) {
	r, err := l.run(t.Context(), s, place)
	if err != nil {
		t.Fatal(err)
	}
	if r.own == 0 || r.syncsErr == nil && r.syncs == 0 {
		t.Errorf("own %v, %v syncs a job", r.own, r.syncs)
	}
}

func TestBoard(t *testing.T) {
	b := newBoard()
	waiting := make(chan error)
	go func() { waiting <- errors.Join(b.wait(t.Context(), "b"), b.drain(t.Context(), 2)) }()
	b.announce("a")
	b.announce("a")
	b.announce("b")
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.drain(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("a job announced twice counts once: %v", err)
	}
}

func TestParseCounts(t *testing.T) {
	const head = "% time     seconds  usecs/call     calls    errors syscall\n" +
		"------ ----------- ----------- --------- --------- ----------------\n"
	for _, c := range []struct {
		name, table string
		want        int
		bad         bool
	}{
		{"two calls", head + " 90.00    0.181012          90      2003           fdatasync\n 10.00    0.001000          90         4         1 fsync\n" +
			"------ ----------- ----------- --------- --------- ----------------\n100.00    0.182012          90      2007         1 total\n", 2007, false},
		{"none", head, 0, true},
		{"no number", head + "100.00 0.1 9 many fsync\n", 0, true},
		{"empty", "", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseCounts([]byte(c.table))
			if got != c.want || (err != nil) != c.bad {
				t.Errorf("parseCounts = %d, %v", got, err)
			}
		})
	}
}

func TestPostgresVersion(t *testing.T) {
	paths := []string{"/usr/lib/postgresql/9/bin/postgres", "/usr/lib/postgresql/15/bin/postgres", "/opt/bin/postgres"}
	if got := slices.MaxFunc(paths, func(a, b string) int { return postgresVersion(a) - postgresVersion(b) }); got != paths[1] {
		t.Errorf("the newest of %q is %q", paths, got)
	}
}
