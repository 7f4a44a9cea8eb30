package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
)

// TestPaceLineOf40Columns keeps the time that is left, whatever else must go.
func TestPaceLineOf40Columns(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	job := polymath.Job{Function: "primecount", State: polymath.Running, Units: 100_000_000}
	p := pace{begun: start}
	p.line(&job, 0, start, 40)
	job.Done = 12_345_678
	if got := p.line(&job, 0, start.Add(7*time.Second), 40); !strings.HasSuffix(got, " 0:50 left") || len(got) >= 40 {
		t.Errorf("%q has %d columns and must end with the time", got, len(got))
	}
}

func TestPaceLine(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	running := polymath.Job{Function: "primes", State: polymath.Running, Units: 1000, Done: 200}
	for _, c := range []struct {
		name    string
		job     func(*polymath.Job)
		working uint64
		after   time.Duration
		width   int
		want    string
	}{
		{"nothing done yet", func(*polymath.Job) {}, 0, 0, 60, "primes  20.0 % [===>            ]"},
		{"what was done before is no speed", func(j *polymath.Job) { j.Done = 400 }, 100, 10 * time.Second, 80,
			"primes  50.0 % [==================>                 ] 30 units/s, 0:17 left"},
		{"narrow", func(j *polymath.Job) { j.Done = 400 }, 0, 10 * time.Second, 20, "40.0 % 0:30 left"},
		{"narrower", func(j *polymath.Job) { j.Done = 400 }, 0, 10 * time.Second, 12, "0:30 left"},
		{"no room for the rate", func(j *polymath.Job) { j.Done = 400 }, 0, 10 * time.Second, 48, "primes  40.0 % [========>           ] 0:30 left"},
		{"no room for the bar", func(j *polymath.Job) { j.Done = 400 }, 0, 10 * time.Second, 30, "primes  40.0 % 0:30 left"},
		{"hours", func(j *polymath.Job) { j.Done = 201 }, 0, 10 * time.Second, 50, "primes  20.1 % [=>    ] 0.1 units/s, 2:13:10 left"},
		{"never", func(j *polymath.Job) { j.Units, j.Done = 1<<60, 201 }, 0, time.Second, 0, ""},
		{"dead units are behind us", func(j *polymath.Job) { j.Done, j.Dead = 400, 600 }, 0, time.Second, 60,
			"primes 100.0 % [================] 800 units/s, 0:00 left"},
		{"over", func(j *polymath.Job) { j.Done, j.State = 1000, polymath.Succeeded }, 0, 75 * time.Second, 70,
			"primes 100.0 % [================] 10.67 units/s, succeeded after 1:15"},
		{"no units", func(j *polymath.Job) { j.Units, j.Done, j.State = 0, 0, polymath.Succeeded }, 0, 0, 70,
			"primes 100.0 % [==========================] succeeded after 0:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pace{begun: start}
			first := running
			p.line(&first, 0, start, c.width)
			job := running
			c.job(&job)
			got := p.line(&job, c.working, start.Add(c.after), c.width)
			if got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
			if len(got) >= max(c.width, 1) {
				t.Errorf("%q has %d columns of %d: the cursor would wrap", got, len(got), c.width)
			}
		})
	}
}

// TestPaceLineHoldsStill: what is on the line and how long the bar is do not change
// from one picture to the next because the rate has a digit more.
func TestPaceLineHoldsStill(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	shape := func(done uint64, width int) string {
		p := pace{begun: start}
		job := polymath.Job{Function: "primes", State: polymath.Running, Units: 1_000_000}
		p.line(&job, 0, start, width)
		job.Done = done
		line := p.line(&job, 0, start.Add(10*time.Second), width)
		return fmt.Sprint(strings.Index(line, "["), strings.Index(line, "]"), strings.Contains(line, "units/s"))
	}
	for width := 8; width <= 120; width++ {
		if a, b := shape(7770, width), shape(7773, width); a != b { // 777 and 777.3 units/s
			t.Errorf("%d columns: begin and end of the bar and whether there is a rate: %s, then %s", width, a, b)
		}
	}
}

func TestSpeed(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0", 0.1: "0.1", 290.62: "290.6", 9999: "9999", 9999.9: "10k", 12345: "12.35k", 1234567: "1235k", 2.5e10: "25G", 7e13: "70T", 1e17: "100P",
	} {
		if got := speed(rate); got != want {
			t.Errorf("%v is %q, want %q", rate, got, want)
		}
	}
}

// TestColumns: a terminal that does not know its width has progress on it, too.
func TestColumns(t *testing.T) {
	for said, want := range map[int]int{-1: 80, 0: 80, 1: 1, 132: 132} {
		if got := columns(said); got != want {
			t.Errorf("%d columns are taken for %d, want %d", said, got, want)
		}
	}
}

// TestScreenWipesAllLines: whatever was drawn last is wiped, line by line, before
// anything else is written.
func TestScreenWipesAllLines(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, width: 80}
	s.draw("one\ntwo\nthree")
	s.draw("one")
	if _, err := s.Write([]byte("said\n")); err != nil {
		t.Fatal(err)
	}
	s.wipe()
	const wipe = clearLine
	want := wipe + "one\ntwo\nthree" + wipe + lineAbove + wipe + lineAbove + wipe + "one" + wipe + "said\n"
	if out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}

// TestWall draws what is known of jobs, in lines that fit, and how many more
// there are.
func TestWall(t *testing.T) {
	for _, c := range []struct{ width, lines int }{{80, maxDrawn + 1}, {12, maxDrawn + 1}, {1, maxDrawn + 1}} {
		var out strings.Builder
		w := wall{screen: &screen{out: &out, width: c.width}, begun: time.Now(), paces: make(map[*tracked]*pace)}
		for range maxDrawn + 5 {
			job := &tracked{}
			job.tell(&api.Progressed{State: "running", Units: 10, Done: 3})
			w.open = append(w.open, job)
		}
		w.draw()
		lines := strings.Split(strings.TrimPrefix(out.String(), clearLine), "\n")
		if len(lines) != c.lines {
			t.Errorf("%d columns: %d lines, want %d", c.width, len(lines), c.lines)
		}
		for _, line := range lines {
			if len(line) >= c.width {
				t.Errorf("%q does not fit into %d columns", line, c.width)
			}
		}
		if c.width == 80 && (!strings.Contains(lines[0], " 30.0 % [") || lines[maxDrawn] != "and 5 more") {
			t.Errorf("%q", lines)
		}
	}
}

// TestWatchIsInterrupted lets go of two jobs: both are named, below the
// progress.
func TestWatchIsInterrupted(t *testing.T) {
	env := map[string]string{"POLYMATH_SERVER": server(t)}
	var ids []string
	for range 2 {
		p := program{args: []string{"submit", "sleep", "1000", "--duration", "1s"}, env: env}
		if code := p.run(t); code != polymath.ExitDone {
			t.Fatalf("exit code %d: %s", code, &p.stderr)
		}
		ids = append(ids, strings.TrimSpace(p.stdout.String()))
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stderr bytes.Buffer
	s := surroundings{
		lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		stdout: new(bytes.Buffer), stderr: onWrite{&stderr, interrupt},
		width: func() int { return 80 },
	}
	if code := run(ctx, append([]string{"watch"}, ids...), s); code != polymath.ExitInterrupted {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	a, b := ids[0], ids[1]
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	said := lines[len(lines)-1]
	if !strings.Contains(said, "detached from "+a+" "+b) && !strings.Contains(said, "detached from "+b+" "+a) || !strings.HasPrefix(said, "polymath: ") {
		t.Errorf("said %q", &stderr)
	}
}

// TestDetachedAllCounts says of one job that it goes on, of several that they go on.
func TestDetachedAllCounts(t *testing.T) {
	o := &watchSettings{remote: remote{server: defaultServer}}
	if err := o.detachedAll(&tracked{}, nil); !strings.Contains(err.Error(), ", which goes on: ") {
		t.Error(err)
	}
	if err := o.detachedAll(&tracked{}, []*tracked{{}}); !strings.Contains(err.Error(), ", which go on: ") {
		t.Error(err)
	}
}
