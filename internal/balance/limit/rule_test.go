package limit

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// draw makes a valid rule.
func draw(t *rapid.T, algorithm Algorithm) Rule {
	r := Rule{Name: "r", Algorithm: algorithm,
		Limit:  rapid.Int64Range(1, 50).Draw(t, "limit"),
		Window: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Minute)).Draw(t, "window")),
	}
	if algorithm == TokenBucket {
		r.Burst = rapid.Int64Range(0, 100).Draw(t, "burst")
	}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r
}

// history lets a client ask at generated times, and returns when it was let in.
func history(t *rapid.T, r *Rule) (in []time.Duration) {
	var m Memory
	now := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "begin"))
	longest := int64(r.Window) / rapid.Int64Range(1, 100).Draw(t, "rate")
	for range rapid.IntRange(1, 400).Draw(t, "requests") {
		now += time.Duration(rapid.Int64Range(0, longest).Draw(t, "pause"))
		d := r.Take(&m, now)
		if d.Allowed {
			in = append(in, now)
		}
		coherent(t, r, m, d, now)
	}
	return in
}

// coherent holds a Decision to what it promises of the next requests.
func coherent(t *rapid.T, r *Rule, m Memory, d Decision, now time.Duration) {
	ask := func(at time.Duration) Decision { c := m; return r.Take(&c, at) }
	switch {
	case d.Remaining < 0 || d.Retry < 0 || d.Reset < d.Retry:
		t.Fatalf("%+v", d)
	case (d.Remaining == 0) != (d.Retry > 0):
		t.Fatalf("%+v: Retry belongs to no requests remaining", d)
	case !d.Allowed && d.Remaining > 0:
		t.Fatalf("%+v: refused with requests remaining", d)
	case !ask(now + d.Retry).Allowed:
		t.Fatalf("%+v, but it is refused then: %+v", d, ask(now+d.Retry))
	case d.Retry > 0 && ask(now+d.Retry-1).Allowed:
		t.Fatalf("%+v, but it is let in before", d)
	}
	c := m
	for range d.Remaining {
		if !r.Take(&c, now).Allowed {
			t.Fatalf("%+v: fewer remained", d)
		}
	}
	if r.Take(&c, now).Allowed {
		t.Fatalf("%+v: more remained", d)
	}
	var fresh Memory
	if got, want := ask(now+d.Reset).Remaining, r.Take(&fresh, now).Remaining; got != want {
		t.Fatalf("%+v: after Reset %d remain, of a new key %d", d, got, want)
	}
}

// TestBucketLaw: in any stretch d no more than burst + d/interval are let in,
// whatever the client does.
func TestBucketLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, TokenBucket)
		in := history(t, &r)
		for i := range in {
			for j := i; j < len(in); j++ {
				most := r.burst() + int64((in[j]-in[i])/r.interval())
				if n := int64(j - i + 1); n > most {
					t.Fatalf("%d in %v, at most %d: %+v", n, in[j]-in[i], most, r)
				}
			}
		}
	})
}

// TestWindowLaw: in any stretch as long as the window at most Limit are let in,
// and whoever made fewer in the last window and a slice is let in.
func TestWindowLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, SlidingWindow)
		in := history(t, &r)
		for i := range in {
			if j := i + int(r.Limit); j < len(in) && in[j]-in[i] < r.Window {
				t.Fatalf("%d in %v: %+v", r.Limit+1, in[j]-in[i], r)
			}
		}
	})
}

// TestSteady: who keeps to the rate is never refused.
func TestSteady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bucket, window := draw(t, TokenBucket), draw(t, SlidingWindow)
		var m, n Memory
		width := (window.Window + parts - 1) / parts
		var at, then time.Duration
		for i := range 300 {
			if d := bucket.Take(&m, at); !d.Allowed {
				t.Fatalf("request %d of a steady client: %+v under %+v", i, d, bucket)
			}
			if d := window.Take(&n, then); !d.Allowed {
				t.Fatalf("request %d of a steady client: %+v under %+v", i, d, window)
			}
			at += bucket.interval()
			then += (parts+1)*width/time.Duration(window.Limit) + 1
		}
	})
}

// TestClockGoesBack: a clock that goes back lets nobody in who was not let in
// at the later time.
func TestClockGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := draw(t, Algorithm(rapid.IntRange(0, 1).Draw(t, "algorithm")))
		var m Memory
		now, allowed := time.Hour, int64(0)
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			back := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "back"))
			if r.Take(&m, now-back).Allowed {
				allowed++
			}
		}
		most := r.Limit
		if r.Algorithm == TokenBucket {
			most = r.burst() + int64(time.Minute/r.interval()) // the first may be a minute ago
		} else if r.Window < time.Minute {
			most = r.Limit * (int64(time.Minute/r.Window) + 2)
		}
		if allowed > most {
			t.Fatalf("%d let in, at most %d: %+v", allowed, most, r)
		}
	})
}

func TestCheck(t *testing.T) {
	good := Rule{Name: "per-client", Limit: 100, Window: time.Minute}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Rule){
		"name has 0 bytes":        func(r *Rule) { r.Name = "" },
		"name has 65 bytes":       func(r *Rule) { r.Name = strings.Repeat("a", 65) },
		`name is "Per Client"`:    func(r *Rule) { r.Name = "Per Client" },
		"limit is 0":              func(r *Rule) { r.Limit = 0 },
		"limit is 1000000001":     func(r *Rule) { r.Limit = MaxLimit + 1 },
		"window is 1µs":           func(r *Rule) { r.Window = time.Microsecond },
		"window is 25h0m0s":       func(r *Rule) { r.Window = 25 * time.Hour },
		"at most a million":       func(r *Rule) { r.Limit, r.Window = 1001, time.Millisecond },
		"burst is -1":             func(r *Rule) { r.Burst = -1 },
		"a sliding window has no": func(r *Rule) { r.Algorithm, r.Burst = SlidingWindow, 5 },
		"more than 720h0m0s":      func(r *Rule) { r.Limit, r.Window, r.Burst = 1, 24*time.Hour, 31 },
		"algorithm is 2":          func(r *Rule) { r.Algorithm = 2 },
	} {
		r := good
		change(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, a := range []Algorithm{TokenBucket, SlidingWindow} {
		if got, err := ParseAlgorithm(a.String()); err != nil || got != a {
			t.Errorf("%v is read as %v, %v", a, got, err)
		}
	}
	if _, err := ParseAlgorithm("leaky"); err == nil {
		t.Error("leaky was read")
	}
	for _, text := range []string{"client", "tenant", "header:X-Api-Key"} {
		if got, err := ParseBy(text); err != nil || got.String() != text {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "clients", "header", "header:", "header:a b", "client:x"} {
		if got, err := ParseBy(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
