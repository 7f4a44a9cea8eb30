package main

import (
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

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
		{"nothing done yet", func(*polymath.Job) {}, 0, 0, 60, "primes  20.0 % [====>                   ] 0 units/s, ? left"},
		{"what was done before is no speed", func(j *polymath.Job) { j.Done = 400 }, 100, 10 * time.Second, 80,
			"primes  50.0 % [====================>                   ] 30 units/s, 0:17 left"},
		{"narrow", func(j *polymath.Job) { j.Done = 400 }, 0, 10 * time.Second, 20, "primes  40.0 %  20 "},
		{"hours", func(j *polymath.Job) { j.Done = 201 }, 0, 10 * time.Second, 50, "primes  20.1 % [=>    ] 0.1 units/s, 2:13:10 left"},
		{"never", func(j *polymath.Job) { j.Units, j.Done = 1<<60, 201 }, 0, time.Second, 0, ""},
		{"dead units are behind us", func(j *polymath.Job) { j.Done, j.Dead = 400, 600 }, 0, time.Second, 60,
			"primes 100.0 % [===================] 800 units/s, 0:00 left"},
		{"over", func(j *polymath.Job) { j.Done, j.State = 1000, polymath.Succeeded }, 0, 75 * time.Second, 70,
			"primes 100.0 % [================] 10.67 units/s, succeeded after 1:15"},
		{"no units", func(j *polymath.Job) { j.Units, j.Done, j.State = 0, 0, polymath.Succeeded }, 0, 0, 70,
			"primes 100.0 % [====================] 0 units/s, succeeded after 0:00"},
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
