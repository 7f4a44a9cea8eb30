package process

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func start(t *testing.T, name string, args ...string) *Process {
	t.Helper()
	p, err := Start(exec.CommandContext(t.Context(), name, args...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStopIsAProperEnd(t *testing.T) {
	p := start(t, "sleep", "60")
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// TestKillTakesTheGroup: a shell's child holds the output open, so that Wait
// would not return if only the shell were killed.
func TestKillTakesTheGroup(t *testing.T) {
	p := start(t, "sh", "-c", "sleep 60; true")
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
}

func TestErrQuotesWhatItSaid(t *testing.T) {
	p := start(t, "sh", "-c", "echo no disk left >&2; exit 3")
	<-p.Ended()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "no disk left") {
		t.Errorf("Err = %v", err)
	}
	if p.Stop() == nil || p.Kill() == nil {
		t.Error("a failure before the stop is no proper end")
	}
}

func TestTailKeepsTheLast(t *testing.T) {
	var kept tail
	for range keptBytes {
		if n, err := kept.Write([]byte("abc")); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := kept.String(); len(got) != keptBytes || !strings.HasSuffix(got, "abc") {
		t.Errorf("%d bytes", len(got))
	}
}

// TestCPUCountsDescendants burns time in a grandchild. It reads the machine's
// processes until the time shows, however slowly that is.
func TestCPUCountsDescendants(t *testing.T) {
	p := start(t, "sh", "-c", "sh -c 'while :; do :; done'; true")
	defer p.Kill()
	const enough = 5 * tick
	for {
		used, err := p.CPU()
		if err != nil {
			t.Fatal(err)
		}
		if used >= enough {
			return
		}
	}
}

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       stat
		bad        bool
	}{
		{"plain", "7 (sh) S 3 7 7 0 -1 4194304 0 0 0 0 1 2 3 4 20 0", stat{3, 10 * tick}, false},
		{"a name that looks like fields", "7 (a) S 1 (b)) R 9 7 7 0 -1 0 0 0 0 0 0 0 0 5 20 0", stat{9, 5 * tick}, false},
		{"cut short", "7 (sh) S 3 7", stat{}, true},
		{"no numbers", "7 (sh) S 3 7 7 0 -1 4194304 0 0 0 0 x 2 3 4 20 0", stat{}, true},
		{"empty", "", stat{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStat([]byte(c.line))
			if got != c.want || (err != nil) != c.bad {
				t.Errorf("parseStat = %v, %v", got, err)
			}
		})
	}
}

func TestOwnCPU(t *testing.T) {
	for {
		used, err := OwnCPU()
		if err != nil {
			t.Fatal(err)
		}
		if used > 0 {
			return
		}
	}
}

func TestReady(t *testing.T) {
	p := start(t, "sleep", "60")
	probes := 0
	notYet := errors.New("not yet")
	err := p.Ready(t.Context(), func(context.Context) error {
		if probes++; probes < 3 {
			return notYet
		}
		return nil
	})
	if err != nil || probes != 3 {
		t.Errorf("%d probes, %v", probes, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Ready(ctx, func(context.Context) error { return notYet }); !errors.Is(err, notYet) {
		t.Errorf("cancelled: %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(t.Context(), func(context.Context) error { return notYet }); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("ended: %v", err)
	}
}

func TestMemoryOfAProcess(t *testing.T) {
	p := start(t, "sleep", "60")
	if n, err := p.Memory(); err != nil || n < 4<<10 || n > 100<<20 {
		t.Errorf("%d bytes: %v", n, err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Memory(); err == nil {
		t.Errorf("%d bytes of a process that is gone", n)
	}
}
