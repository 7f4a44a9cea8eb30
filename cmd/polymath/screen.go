package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
)

// drawPause is the time between two pictures of a progress line.
const drawPause = 100 * time.Millisecond

// screen is standard error: lines that stay, and below them, on a terminal
// only, lines of progress that are drawn over and over.
type screen struct {
	out   io.Writer
	width int // of the terminal in columns; 0: it is none

	mu    sync.Mutex
	shown int // how many lines of progress stand on the screen; guarded by mu
}

// clearLine goes to the beginning of the terminal's line and wipes it;
// lineAbove goes to the one above.
const (
	clearLine = "\r\x1b[K"
	lineAbove = "\x1b[A"
)

// cleared is what wipes the progress from the terminal. s.mu is held.
func (s *screen) cleared() string {
	if s.shown == 0 {
		return ""
	}
	wipe := clearLine + strings.Repeat(lineAbove+clearLine, s.shown-1)
	s.shown = 0
	return wipe
}

// wipe takes the progress away, for what is printed elsewhere on the terminal.
func (s *screen) wipe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = io.WriteString(s.out, s.cleared())
}

// leave lets the progress stand, and goes on below it.
func (s *screen) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown > 0 {
		s.shown = 0
		_, _ = io.WriteString(s.out, "\n")
	}
}

// Write writes whole lines that stay.
func (s *screen) Write(lines []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wipe := s.cleared(); wipe != "" {
		if _, err := io.WriteString(s.out, wipe); err != nil {
			return 0, err
		}
	}
	return s.out.Write(lines)
}

// draw replaces the lines of progress. What cannot be shown is not missed.
func (s *screen) draw(lines string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wipe := s.cleared()
	if wipe == "" {
		wipe = clearLine
	}
	s.shown = 1 + strings.Count(lines, "\n")
	_, _ = io.WriteString(s.out, wipe+lines)
}

// begun says what is being worked on, where that is not what was asked for.
func (s *screen) begun(b app.Begun) {
	for _, id := range b.Cancelled {
		_, _ = fmt.Fprintf(s, "cancelled %v, which was not finished\n", id)
	}
	if b.Resumed {
		_, _ = fmt.Fprintf(s, "resuming %v\n", b.Job)
	}
	if b.Others > 0 && s.width > 0 {
		_, _ = fmt.Fprintf(s, "other unfinished jobs in this directory: %d\n", b.Others)
	}
}

// watch shows the progress of a job on a terminal until stop is called.
func (s *screen) watch(look func() (polymath.Job, uint64, error)) (stop func()) {
	if s.width == 0 {
		return func() {}
	}
	var drawing sync.WaitGroup
	over := make(chan struct{})
	drawing.Go(func() {
		ticker := time.NewTicker(drawPause)
		defer ticker.Stop()
		pace := pace{begun: time.Now()}
		for {
			if job, working, err := look(); err == nil {
				s.draw(pace.line(&job, working, time.Now(), s.width))
			}
			select {
			case <-ticker.C:
			case <-over:
				if job, working, err := look(); err == nil {
					_, _ = fmt.Fprintln(s, pace.line(&job, working, time.Now(), s.width))
				}
				return
			}
		}
	})
	return func() {
		close(over)
		drawing.Wait()
	}
}

// pace knows how fast a job goes.
type pace struct {
	begun time.Time
	from  uint64 // units that were done when it began
	known bool   // from is set
}

// line is the progress of a job in at most width columns:
//
//	primes  42.1 % [========>           ] 1230 units/s, 0:42 left
func (p *pace) line(job *polymath.Job, working uint64, now time.Time, width int) string {
	done := min(job.Done+job.Dead+working, job.Units)
	if !p.known {
		p.known, p.from = true, min(job.Done+job.Dead, job.Units)
	}
	elapsed := now.Sub(p.begun).Seconds()
	part, rate := 1.0, 0.0
	if job.Units > 0 {
		part = float64(done) / float64(job.Units)
	}
	if elapsed > 0 && done > p.from {
		rate = float64(done-p.from) / elapsed
	}
	head := fmt.Sprintf("%s %5.1f %% ", printable(job.Function), 100*part)
	left := p.remaining(job, done, rate, now)
	tail := ""
	if left != "" {
		tail = " " + left
	}
	short := tail
	if rate > 0 {
		tail = " " + speed(rate) + " units/s, " + left
	}
	tail += strings.Repeat(" ", max(usualTail-len(tail), 0))
	if len(head)+leastBar+len(tail) > width-1 {
		tail = short
	}
	bar := bar(part, width-1-len(head)-len(tail))
	if bar == "" { // the time that is left is what people look for
		tail = left
		if len(head)+len(tail) > width-1 {
			head = fmt.Sprintf("%.1f %% ", 100*part)
		}
		if len(head)+len(tail) > width-1 {
			head = ""
		}
	}
	text := strings.TrimRight(head+bar+tail, " ")
	return text[:min(len(text), max(width-1, 0))]
}

// usualTail is the width of what stands behind the bar for most speeds and
// times, so that the bar keeps its length while digits come and go.
const usualTail = len(" 1230.5 units/s, 0:42 left")

// speed writes a rate in few digits.
func speed(rate float64) string {
	const four = 9999.5 // from here on, four digits are one too few
	for _, letter := range []string{"", "k", "M", "G", "T"} {
		if rate < four {
			return fmt.Sprintf("%.4g%s", rate, letter)
		}
		rate /= 1000
	}
	return fmt.Sprintf("%.4gP", rate)
}

// remaining says how long a job still takes, or took; nothing while nobody
// knows.
func (p *pace) remaining(job *polymath.Job, done uint64, rate float64, now time.Time) string {
	switch {
	case job.State.Final():
		return job.State.String() + " after " + clock(now.Sub(p.begun))
	case rate == 0:
		return "" // before there is progress, any guess is wrong
	default:
		const most = 1000 * time.Hour // beyond it the guess says nothing
		left := float64(job.Units-done) / rate
		return clock(time.Duration(min(left, most.Seconds())*float64(time.Second))) + " left"
	}
}

// clock writes a duration as m:ss or h:mm:ss.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Widths of the bar, brackets included, in columns.
const (
	leastBar = 7
	mostBar  = 42
)

// bar draws a part of 1 in at most so many columns; nothing where it would
// say nothing.
func bar(part float64, columns int) string {
	if columns < leastBar {
		return ""
	}
	inner := min(columns, mostBar) - 2
	full := int(part * float64(inner))
	if full >= inner {
		return "[" + strings.Repeat("=", inner) + "]"
	}
	return "[" + strings.Repeat("=", full) + ">" + strings.Repeat(" ", inner-full-1) + "]"
}
