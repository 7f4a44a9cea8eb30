package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/polymath-run/polymath/internal/disk"
	"github.com/polymath-run/polymath/internal/ledger"
)

// exitNoMount says that the system lets nobody mount a small disk.
const exitNoMount = 77

// TestFullDisk runs in a process of its own, in a name space where it may
// mount a disk of a few megabytes.
func TestFullDisk(t *testing.T) {
	cmd := actor(t.Context(), "full", 21, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	cmd.Stderr = nil
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skipf("SKIPPED: no name spaces here, so no small disk to fill: %v", err)
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitNoMount:
		t.Skipf("SKIPPED: no mounts here, so no small disk to fill: %s", out)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
}

// playFull fills the disk, sees that the archive says so and keeps what it
// has, makes room, and sees that nothing was lost.
func playFull(dir string, seed uint64) error {
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=3m"); err != nil {
		fmt.Println("mount:", err)
		os.Exit(exitNoMount)
	}
	o := narrow()
	o.MaxJobs, o.MaxEvents, o.KeepJobs, o.KeepEvents = 1<<40, 1<<40, 1<<50, 1<<50
	a, err := Open(filepath.Join(dir, "archive.db"), o)
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	put := func(position uint64) error {
		fx := effectsAt(seed, position)
		fx.Prune = 0
		fx.Events = append(fx.Events, ledger.Event{Kind: ledger.WorkerLeft, Name: string(bytes.Repeat([]byte("x"), 10_000))})
		return a.Put(indexAt(position), fx)
	}
	position, refused := uint64(0), error(nil)
	for refused == nil { // memory takes what the disk does not, up to its bound
		if refused = put(position + 1); refused == nil {
			position++
		}
		if position%100 == 50 {
			if err := a.Flush(context.Background()); !errors.Is(err, ErrFull) || !disk.IsFull(err) {
				return fmt.Errorf("flush at %d on a full disk: %w", position, err)
			}
		}
	}
	if !errors.Is(refused, ErrFull) {
		return fmt.Errorf("put at %d on a full disk: %w", position+1, refused)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=200m"); err != nil {
		return err
	}
	if err := a.Flush(context.Background()); err != nil {
		return fmt.Errorf("flush with space: %w", err)
	}
	if err := put(position + 1); err != nil {
		return fmt.Errorf("put with space: %w", err)
	}
	if err := a.Close(); err != nil {
		return err
	}
	if a, err = Open(filepath.Join(dir, "archive.db"), o); err != nil {
		return err
	}
	defer a.Close()
	got, err := contentOf(a, maxPage)
	jobs, events := 0, 0
	for p := uint64(1); p <= position+1; p++ {
		fx := effectsAt(seed, p)
		jobs, events = jobs+len(fx.Finished), events+len(fx.Events)+1
	}
	if err != nil || len(got.Jobs) != jobs || len(got.Events) != events {
		return fmt.Errorf("after it all: %d jobs, want %d; %d events, want %d; error %v",
			len(got.Jobs), jobs, len(got.Events), events, err)
	}
	return nil
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			if !disk.IsFull(err) {
				return err
			}
			block = block[:len(block)/2]
		}
	}
	return nil
}
