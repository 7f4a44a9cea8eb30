package access

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// facts are a request's target and header fields.
type facts struct {
	target string
	fields map[string]string
}

func (f facts) Header(name string) string { return f.fields[name] }
func (f facts) Target() string            { return f.target }
func (facts) Client() netip.Addr          { return netip.Addr{} }

// exchange is one that is over.
func exchange(status int) *forward.Exchange {
	x := &forward.Exchange{
		Facts: facts{"/a?b=c", map[string]string{"Host": "example.org", "User-Agent": "curl/8", "Referer": "http://x/"}}, Method: "GET",
		Client: netip.MustParseAddr("192.0.2.1"), Scheme: "https", Version: 11,
		Begun: time.Second, Answered: time.Second + 1500*time.Microsecond, Status: status, Received: 5, Sent: 100, Attempts: 2,
	}
	x.Tried[0], x.Tried[1] = &forward.Upstream{Name: "http://a:1"}, &forward.Upstream{Name: "http://b:1"}
	return x
}

func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 123_000_000, time.UTC) }

func after(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// TestLines spells the forms out (D7: readable, per server).
func TestLines(t *testing.T) {
	for form, want := range map[Form]string{
		JSON: `{"time":"2026-11-21T12:00:00.123Z","client":"192.0.2.1","method":"GET","scheme":"https","host":"example.org","target":"/a?b=c",` +
			`"version":"1.1","status":200,"received":5,"sent":100,"took":2.250,"answered":1.500,"upstream":"http://b:1","attempts":2,` +
			`"referer":"http://x/","agent":"curl/8"}` + "\n",
		Combined: `192.0.2.1 - - [21/Nov/2026:12:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 100 "http://x/" "curl/8"` + "\n",
	} {
		var out strings.Builder
		l := New(&out, Options{Form: form, Now: after(time.Second + 2250*time.Microsecond), Wall: noon})
		l.End(exchange(200))
		l.Close()
		if out.String() != want {
			t.Errorf("got  %swant %s", out.String(), want)
		}
	}
}

// FuzzLines: whatever a client sends, a line is one line, and an object is one
// object that says what was sent.
func FuzzLines(f *testing.F) {
	f.Add("GET", "/", "curl")
	f.Add("G\"T", "/\n\x00\x7f\\\"", "\xff\u2028\u20ac")
	f.Add("", strings.Repeat("\x01", 3*MaxText), strings.Repeat("\u20ac", MaxText))
	combined := regexp.MustCompile(`^192\.0\.2\.1 - - \[[^]]+\] "(?:[^"\\]|\\.)*" 200 100 "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"\n$`)
	f.Fuzz(func(t *testing.T, method, target, agent string) {
		x := exchange(200)
		x.Method, x.Facts = method, facts{target, map[string]string{"User-Agent": agent, "Host": target, "Referer": agent}}
		line := appendJSON(nil, x, noon(), time.Second)
		if strings.Count(string(line), "\n") != 1 || len(line) > maxLine {
			t.Fatalf("%d bytes: %q", len(line), line)
		}
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if short := len(target) <= MaxText; short && got["target"] != strings.ToValidUTF8(target, "\ufffd") && !strings.Contains(got["target"].(string), "\ufffd") {
			t.Errorf("the target %q is %q", target, got["target"])
		}
		line = appendCombined(nil, x, noon())
		if !combined.Match(line) || len(line) > maxLine {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	})
}

func TestSampling(t *testing.T) {
	var out strings.Builder
	l := New(&out, Options{Every: 10, Now: after(0)})
	for i := range 100 {
		status := 200
		if i%25 == 0 {
			status = 503
		}
		l.End(exchange(status))
	}
	l.End(exchange(0))
	l.Close()
	if ok, failed := strings.Count(out.String(), `"status":200`), strings.Count(out.String(), `"status":503`); ok != 10 || failed != 4 {
		t.Errorf("of 96 and 4 that failed %d and %d were written, want 10 and 4", ok, failed)
	}
	if !strings.Contains(out.String(), `"status":0`) {
		t.Error("a request without an answer was not written")
	}
}

// slow is a writer that is let go by a channel.
type slow struct {
	free  chan struct{}
	mu    sync.Mutex
	bytes int
	fails bool
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.free
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return 0, errors.New("no space left")
	}
	s.bytes += len(p)
	return len(p), nil
}

// TestNobodyReads: requests do not wait for the log, its memory is bounded, and
// each line is written, dropped or lost, and counted.
func TestNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slow{free: make(chan struct{})}
		l := New(w, Options{Now: after(0)})
		l.End(exchange(200))
		<-time.After(2 * FlushEvery) // the writer has it, and hangs
		const lines = 20_000
		for range lines {
			l.End(exchange(200))
		}
		s := l.Stats()
		if s.Dropped == 0 || s.Lines+s.Dropped != lines+1 || cap(l.filled) != BufferBytes {
			t.Errorf("%+v of %d, a buffer of %d", s, lines+1, cap(l.filled))
		}
		close(w.free)
		l.Close()
		if n := int(s.Lines) * len(appendJSON(nil, exchange(200), time.Now(), 0)); w.bytes < n-int(s.Lines)*8 {
			t.Errorf("%d bytes were written of about %d", w.bytes, n)
		}
		l.End(exchange(200))
		if got := l.Stats().Dropped; got != s.Dropped+1 {
			t.Errorf("after its end %d were dropped, want one more than %d", got, s.Dropped)
		}
		l.Close() // again
	})
}

func TestWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slow{free: make(chan struct{}), fails: true}
		close(w.free)
		told := 0
		l := New(w, Options{Now: after(0), Failed: func(error) { told++ }})
		for range 3 {
			l.End(exchange(200))
			<-time.After(2 * FlushEvery)
		}
		w.mu.Lock()
		w.fails = false
		w.mu.Unlock()
		l.End(exchange(200))
		l.Close()
		if s := l.Stats(); s.Lost != 3 || s.Lines != 4 || told != 1 {
			t.Errorf("%+v, told %d times; want 3 of 4 lost, told once", s, told)
		}
	})
}

func TestEndAllocatesNothing(t *testing.T) {
	x := exchange(200)
	var off *Log
	if got := testing.AllocsPerRun(1000, func() { off.End(x) }); got != 0 {
		t.Errorf("off: %v allocations a request, want none", got)
	}
	off.Close()
	if off.Stats() != (Stats{}) {
		t.Error("a log that is off has counted")
	}
	for _, form := range []Form{JSON, Combined} {
		b := make([]byte, 0, BufferBytes)
		at := noon()
		if got := testing.AllocsPerRun(1000, func() {
			if form == JSON {
				b = appendJSON(b[:0], x, at, time.Second)
			} else {
				b = appendCombined(b[:0], x, at)
			}
		}); got != 0 {
			t.Errorf("form %d: %v allocations a line, want none", form, got)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path + ".1": "one\ntwo\n", path: "three\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v, want %q", name, got, err, want)
		}
	}
	if _, err := OpenFile(filepath.Join(path, "below")); err == nil {
		t.Error("a file below a file was opened")
	}
}

func BenchmarkEnd(b *testing.B) {
	l := New(discard{}, Options{Now: after(0)})
	x := exchange(200)
	b.ReportAllocs()
	for range b.N {
		l.End(x)
	}
	l.Close()
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
