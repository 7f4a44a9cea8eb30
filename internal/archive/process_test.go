package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/checkpoint"
	"github.com/polymath-run/polymath/internal/disk"
)

// sceneVariable makes the test binary play a part in another process: the
// name of the part and its arguments.
const sceneVariable = "POLYMATH_ARCHIVE_SCENE"

// play runs a part and returns the exit code.
func play(scene string) int {
	var seed uint64
	var dir string
	name, rest, _ := strings.Cut(scene, " ")
	_, err := fmt.Sscan(rest, &seed, &dir)
	if err == nil {
		switch name {
		case "writer":
			err = playWriter(dir, seed)
		case "full":
			err = playFull(dir, seed)
		default:
			err = fmt.Errorf("no scene %q", name)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// actor is this test binary, told to play a part.
func actor(ctx context.Context, scene string, seed uint64, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", sceneVariable, scene, seed, dir))
	cmd.Stderr = os.Stderr
	return cmd
}

// playWriter goes on where the archive ends, for ever: it puts entries, now
// and then flushes them, says so, and commits a checkpoint after it.
func playWriter(dir string, seed uint64) error {
	a, err := Open(filepath.Join(dir, "archive.db"), narrow())
	if err != nil {
		return err
	}
	fs, err := disk.Dir(dir)
	if err != nil {
		return err
	}
	store, err := checkpoint.Open(fs)
	if err != nil {
		return err
	}
	fmt.Println("begun")
	for position := a.Applied().Position + 1; ; position++ {
		if err := a.Put(indexAt(position), effectsAt(seed, position)); err != nil {
			return err
		}
		if position%50 != 0 {
			continue
		}
		if err := a.Flush(context.Background()); err != nil {
			return err
		}
		fmt.Println("flushed", position)
		w, err := store.Begin(checkpoint.Meta{Shard: testShard, Index: indexAt(position)})
		if err != nil {
			return err
		}
		if err := w.Commit(); err != nil {
			return err
		}
	}
}

// TestKill kills a writing process with SIGKILL, again and again: what it
// flushed is there, nothing is there in part, and the archive is never behind
// a checkpoint.
func TestKill(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, uint64(os.Getpid())))
	dir := t.TempDir()
	for round := range rounds {
		flushed := killed(t, actor(t.Context(), "writer", seed, dir), time.Duration(rng.IntN(150))*time.Millisecond)
		a := mustOpen(t, filepath.Join(dir, "archive.db"), narrow())
		last := a.Applied().Position
		if last < flushed {
			t.Fatalf("round %d: flushed %d, contains %d", round, flushed, last)
		}
		if err := verify(a, seed, last, 100); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := a.Covers(newest(t, dir).Index); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if round == rounds-1 {
			t.Logf("%d kills, %d entries", rounds, last)
		}
	}
}

// killed runs a writer, kills it some time after it began, and returns the
// last position it said it had flushed.
func killed(t *testing.T, cmd *exec.Cmd, after time.Duration) (flushed uint64) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch text := lines.Text(); {
		case text == "begun":
			defer time.AfterFunc(after, func() { cmd.Process.Kill() }).Stop()
		case strings.HasPrefix(text, "flushed "):
			if _, err := fmt.Sscanf(text, "flushed %d", &flushed); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("the writer says %q", text)
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the writer ended: %v", err)
	}
	return flushed
}

// newest is the checkpoint a start would begin from.
func newest(t *testing.T, dir string) checkpoint.Meta {
	t.Helper()
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.Open(fs)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := store.Load(func(_ checkpoint.Meta, next func() ([]byte, error)) error {
		if _, err := next(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("a part of nothing: %w", err)
		}
		return nil
	})
	if err != nil || len(loaded.Warnings) > 0 {
		t.Fatalf("checkpoint: %+v, %v", loaded, err)
	}
	return loaded.Meta
}
