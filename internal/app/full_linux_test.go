package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

// smallSegment lets the journal want another segment soon: each job below
// fills a good part of one.
const smallSegment = 128 << 10

// mountSmall mounts a disk of its own, of so many KiB, for the test.
func mountSmall(t *testing.T, kib int) string {
	t.Helper()
	path := t.TempDir()
	if err := syscall.Mount("polymath-test", path, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Skipf("SKIPPED: a full disk: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error(err)
		}
	})
	return path
}

func resize(t *testing.T, path string, kib int) {
	t.Helper()
	if err := syscall.Mount("polymath-test", path, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk fills the disk with jobs until one is refused: clearly, with
// nothing lost of what was taken, and everything goes on with more space.
func TestFullDisk(t *testing.T) {
	disk := mountSmall(t, 1024)
	options := Options{
		Directory: filepath.Join(disk, "data"), Log: slog.New(slog.DiscardHandler), segmentBytes: smallSegment,
	}
	a, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	job := func(n int) Request {
		numbers := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%d,", 1_000_003+n), 4000), ",")
		return request(t, "isprime", `{"numbers":[`+numbers+`]}`)
	}
	var taken []polymath.JobID
	for err == nil {
		var b Begun
		if b, err = a.Begin(t.Context(), job(len(taken))); err == nil {
			taken = append(taken, b.Job)
		}
		if len(taken) > 100 {
			t.Fatal("the disk is never full")
		}
	}
	t.Logf("%d jobs were taken", len(taken))
	said := err.Error()
	if polymath.CodeOf(err) != polymath.Damaged || !strings.Contains(said, "no space left for the data directory "+options.Directory) ||
		!strings.Contains(said, "nothing that was acknowledged is lost; make room") {
		t.Errorf("the refusal: %v", err)
	}
	<-a.Failed()
	if err := a.Close(); err != nil {
		t.Logf("after the full disk: %v", err)
	}

	// Nothing fits: it cannot even be opened, and says why.
	filler := filepath.Join(disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	if _, err := Open(t.Context(), options); polymath.CodeOf(err) != polymath.Damaged || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("opened on a full disk: %v", err)
	}

	resize(t, disk, 16<<10)
	a, err = Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, a)
	for n, id := range taken {
		if b := begin(t, a, job(n)); !b.Resumed || b.Job != id {
			t.Fatalf("job %d is lost: %+v, want %v", n, b, id)
		}
	}
	last := begin(t, a, job(len(taken)))
	if last.Resumed {
		t.Errorf("the job that was refused is there: %v", last.Job)
	}
	if got := finish(t, a, last.Job); strings.Count(got, "y") == 0 && strings.Count(got, "n") == 0 {
		t.Errorf("the result is %.40q", got)
	}
}

// TestFullArchiveIsWaitedOut: a server whose journal still has room when the
// disk is full refuses what it cannot keep, reads on, and goes on by itself.
func TestFullArchiveIsWaitedOut(t *testing.T) {
	const kib, ample = 256 << 10, 512 << 10
	disk := mountSmall(t, kib)
	options := Options{Directory: filepath.Join(disk, "data"), Log: slog.New(slog.DiscardHandler), Serving: true}
	a, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	job := request(t, "isprime", `{"numbers":[`+strings.TrimSuffix(strings.Repeat("1000003,", 8000), ",")+`]}`)
	var ended []polymath.JobID
	end := func() error {
		return soon(t, func(ctx context.Context) error {
			id, _, err := a.node.Submit(ctx, job.Tenant, job.Spec)
			if err == nil {
				err = a.node.Cancel(ctx, id)
			}
			if err == nil {
				ended = append(ended, id)
			}
			return err
		})
	}
	const first = 150 // more than the journal's first file has room for: the next one is larger
	for err == nil && len(ended) < first {
		err = end()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, kib<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	for polymath.CodeOf(err) != polymath.Unavailable && len(ended) < 2000 { // who waits for room hears nothing, or a slow machine is late
		err = end()
	}
	t.Logf("after %d jobs: %v", len(ended), err)
	submit := func(ctx context.Context) error {
		_, _, err := a.node.Submit(ctx, job.Tenant, job.Spec)
		return err
	}
	err = soon(t, submit)
	if polymath.CodeOf(err) != polymath.Unavailable || !strings.Contains(err.Error(), "nothing was changed") ||
		!strings.Contains(err.Error(), "no space left for the archive") {
		t.Errorf("on the full disk: %v", err)
	}
	if got, _, err := a.node.Job(ended[0]); err != nil || got.State != polymath.Cancelled {
		t.Errorf("reading on the full disk: %v, %v", got.State, err)
	}

	resize(t, disk, ample)
	for limit := time.Now().Add(time.Minute); soon(t, submit) != nil; {
		if time.Now().After(limit) {
			t.Fatal("with space nothing goes on")
		}
	}
	select {
	case <-a.Failed():
		t.Fatalf("it has failed: %v", a.Err())
	default:
	}
	shut(t, a)
	if a, err = Open(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	defer shut(t, a)
	for _, id := range ended {
		if got, _, err := a.node.Job(id); err != nil || got.State != polymath.Cancelled {
			t.Fatalf("job %v is %v, %v", id, got.State, err)
		}
	}
}

// soon calls f with little time.
func soon(t *testing.T, f func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return f(ctx)
}
