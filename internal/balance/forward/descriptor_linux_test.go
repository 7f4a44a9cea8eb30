package forward_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
	"github.com/polymath-run/polymath/internal/balance/forward/forwardtest"
)

// What a process with few descriptors is told by its environment, and says.
const (
	fewUpstream = "FORWARD_FEW_UPSTREAM" // the address of the upstream
	fewKind     = "FORWARD_FEW_KIND"     // loop or front
	fewSpare    = 64                     // descriptors it has beyond those it begins with

	saysAddress, saysPause, saysTime, saysDone = "address", "pause", "time", "done"

	hoard, release = "hoard", "release" // what it is told: to take all descriptors, and to give them back
)

// pauseLog says each time that nobody can be accepted.
type pauseLog struct {
	slog.Handler

	mu sync.Mutex
}

// Enabled implements slog.Handler.
func (*pauseLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *pauseLog) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(r.Message, "no connection can be accepted") {
		fmt.Println(saysPause)
	}
	return nil
}

// runWithFew forwards with few descriptors until its input ends, does what it is
// told in its lines, and says for others how much processor time it has had.
func runWithFew(t *testing.T) {
	u := &forward.Upstream{Name: "up", Address: netip.MustParseAddrPort(os.Getenv(fewUpstream))}
	d := forwardtest.NewDirector(t, u)
	o := forward.Options{Director: d, Log: slog.New(&pauseLog{Handler: slog.DiscardHandler})}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = uint64(len(open) + fewSpare)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var address netip.AddrPort
	if os.Getenv(fewKind) == "loop" {
		address = startLoop(t, o, forward.LoopOptions{Threads: 1}).Address()
	} else {
		address = startFront(t, o)
	}
	fmt.Println(saysAddress, address)
	var hoarded []*os.File
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case hoard:
			for f, err := os.Open(os.DevNull); err == nil; f, err = os.Open(os.DevNull) {
				hoarded = append(hoarded, f)
			}
			fmt.Println(saysDone)
			continue
		case release:
			for _, f := range hoarded {
				_ = f.Close()
			}
			fmt.Println(saysDone)
			continue
		}
		var use syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
			t.Fatal(err)
		}
		fmt.Println(saysTime, use.Utime.Nano()+use.Stime.Nano())
	}
	d.Settled(t)
	if n := d.Count(forward.Unreached); n > 0 {
		t.Errorf("%d attempts are blamed on the upstream", n)
	}
}

// few is a process with few descriptors.
type few struct {
	t    *testing.T
	in   io.WriteCloser
	says chan string
}

// expect gives what follows a word the process says, and passes over others.
func (f *few) expect(word string) string {
	f.t.Helper()
	limit := time.After(wait)
	for {
		select {
		case line, ok := <-f.says:
			if !ok {
				f.t.Fatalf("the process ended before it said %s", word)
			}
			if rest, is := strings.CutPrefix(line, word); is {
				return strings.TrimSpace(rest)
			}
		case <-limit:
			f.t.Fatalf("the process did not say %s", word)
		}
	}
}

// used is the processor time it has had.
func (f *few) used() time.Duration {
	f.t.Helper()
	tell(f.t, f.in, "\n")
	n, err := strconv.ParseInt(f.expect(saysTime), 10, 64)
	if err != nil {
		f.t.Fatal(err)
	}
	return time.Duration(n)
}

// startWithFew starts one, which must come to a good end.
func startWithFew(t *testing.T, kind string, u *forward.Upstream) *few {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestFewDescriptors$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), fewUpstream+"="+u.Address.String(), fewKind+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &few{t: t, in: in, says: make(chan string, 1<<16)} // more than any test lets it say
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(f.says)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f.says <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process with few descriptors: %v", err)
		}
	})
	return f
}

// TestFewDescriptors: who runs out of descriptors pauses, has some for those who
// are served, tells others that there are none and blames no upstream for it, does
// not spin, and accepts again once there are some (D5).
func TestFewDescriptors(t *testing.T) {
	if os.Getenv(fewUpstream) != "" {
		runWithFew(t)
		return
	}
	for _, kind := range []string{"loop", "front"} {
		t.Run(kind, func(t *testing.T) { withFew(t, kind) })
	}
}

func withFew(t *testing.T, kind string) {
	const atOnce = 8 // of those who are served
	held, gate := make(chan struct{}, 2*fewSpare), make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	u := handled(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			held <- struct{}{}
			<-gate
		}
		_, _ = io.WriteString(w, "here")
	})
	f := startWithFew(t, kind, u)
	t.Cleanup(open) // before the process ends
	address := netip.MustParseAddrPort(f.expect(saysAddress))
	type client struct {
		net.Conn
		answers *bufio.Reader
	}
	dial := func() client {
		c, r := dialFront(t, address)
		return client{c, r}
	}
	served := func(c client, when string) {
		t.Helper()
		if a, body := readWhole(t, c.answers); a.StatusCode != http.StatusOK || string(body) != "here" {
			t.Errorf("%s: answered %d %s", when, a.StatusCode, body)
		}
	}
	all := []client{dial()}
	tell(t, all[0], plainGet)
	served(all[0], "before")
	for range 2 * fewSpare {
		all = append(all, dial())
	}
	f.expect(saysPause)
	used, since := f.used(), time.Now()
	<-time.After(5 * soon)
	if used, took := f.used()-used, time.Since(since); used > took/2 {
		t.Errorf("in %v of pauses it takes %v of the processor", took, used)
	}
	for _, c := range all[:atOnce] {
		tell(t, c, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
		select {
		case <-held:
		case <-time.After(wait):
			t.Fatal("who is connected is not served")
		}
	}
	// Somebody else takes what was meant for upstreams.
	tell(t, f.in, hoard+"\n")
	f.expect(saysDone)
	tell(t, all[atOnce], "GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
	if a, _ := readWhole(t, all[atOnce].answers); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many is answered %d", a.StatusCode)
	}
	tell(t, f.in, release+"\n")
	f.expect(saysDone)
	open()
	for _, c := range all[:atOnce] {
		served(c, "while nobody is accepted")
	}
	// All of them at once: who is accepted is served, others wait for that.
	var asking sync.WaitGroup
	for _, c := range append(all[:atOnce:atOnce], all[atOnce+1:]...) {
		tell(t, c, plainGet)
		asking.Go(func() {
			a, err := http.ReadResponse(c.answers, nil)
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("with all others: %+v, %v", a, err)
			}
			if err == nil {
				_ = a.Body.Close()
			}
			_ = c.Close()
		})
	}
	asking.Wait()
	_ = all[atOnce].Close()
	last := dial()
	tell(t, last, plainGet)
	served(last, "afterwards")
	_ = last.Close()
}
