package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// fast is an entrant that made so many jobs a second, in three rounds.
func fast(name string, rate int) *entrant {
	e := &entrant{name: name, batch: 1, variants: []variant{{label: "as it comes"}}}
	for _, jobs := range []int{rate, rate * 2, rate / 2} {
		e.results = append(e.results, result{jobs: jobs, took: time.Second, waits: []time.Duration{time.Millisecond}})
	}
	return e
}

func TestMedianIsTheMiddleRound(t *testing.T) {
	if got := fast("a", 1000).median().rate(); got != 1000 {
		t.Errorf("median of 1000, 2000 and 500 is %v", got)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate     int
		synced   bool
		syncTime time.Duration
		refused  bool
	}{
		{"as known", 3000, true, referenceSync, false},
		{"a little slower", 1501, true, referenceSync, false},
		{"much slower", 1499, true, referenceSync, true},
		{"a slow disk excuses", 800, true, 2 * referenceSync, false},
		{"so much and no more", 740, true, 2 * referenceSync, true},
		{"a fast disk raises nothing", 1501, true, referenceSync / 10, false},
		{"no disk, no excuse", 800, false, 2 * referenceSync, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := fast("peer", c.rate)
			e.known, e.synced = 3000, c.synced
			if err := e.judge(c.syncTime); (err != nil) != c.refused {
				t.Errorf("judge = %v", err)
			}
		})
	}
	if err := fast(ours, 1).judge(referenceSync); err != nil {
		t.Errorf("of us nothing is known: %v", err)
	}
}

func TestChooseKeepsTheFastest(t *testing.T) {
	slow, quick := newFake(t), newFake(t)
	slow.counted = errNotCounted
	e := &entrant{name: "peer", batch: 1, variants: []variant{{"one", slow}, {"other", quick}}}
	var out strings.Builder
	if err := e.choose(t.Context(), &out, t.TempDir(), 0); err != nil {
		t.Fatal(err)
	}
	if len(e.variants) != 1 || strings.Count(out.String(), "jobs/s") != 2 {
		t.Errorf("chose %v of:\n%s", e.variants, &out)
	}
	if err := e.round(t.Context(), t.TempDir(), 0); err != nil || len(e.results) != 1 {
		t.Errorf("%d results, %v", len(e.results), err)
	}
}

// fullContest has all entrants, with these rates.
func fullContest(out io.Writer, river int) *contest {
	c := &contest{out: out, syncTime: referenceSync}
	for name, rate := range map[string]int{
		ours: 40_000, oursBulk: 100_000, "river-bulk": 10_000, "asynq-always": 4000, "asynq-everysec": 8000,
	} {
		c.entrants = append(c.entrants, fast(name, rate))
	}
	peer := fast("river", river)
	peer.known, peer.synced = 2800, true
	c.entrants = append(c.entrants, peer)
	return c
}

func TestReport(t *testing.T) {
	paces := map[string]latency{ours: {visible: []time.Duration{1500 * time.Microsecond}}}
	var out strings.Builder
	if err := fullContest(&out, 2000).report(paces); err != nil {
		t.Fatal(err)
	}
	const want = `
bar jobs/river 20.00
bar jobs/asynq-always 10.00
bar jobs/asynq-everysec 5.00
bar jobs/river-bulk 10.00
bar jobs/latency-p50-ms 1.50
`
	if out.String() != want {
		t.Errorf("report:\n%s", &out)
	}

	out.Reset()
	if err := fullContest(&out, 1000).report(paces); err == nil || out.Len() > 0 {
		t.Errorf("a peer at a third of its rate: %v\n%s", err, &out)
	}

	c := fullContest(&out, 2000)
	c.entrants = c.entrants[:len(c.entrants)-1]
	if err := c.report(paces); err != nil || strings.Contains(out.String(), "jobs/river ") || !strings.Contains(out.String(), "latency") {
		t.Errorf("without River: %v\n%s", err, &out)
	}

	out.Reset()
	c = fullContest(&out, 2000)
	c.peers = true
	if err := c.report(nil); err != nil || out.Len() > 0 {
		t.Errorf("the peers alone: %v\n%s", err, &out)
	}
}

// TestRatio compares what was measured in one round.
func TestRatio(t *testing.T) {
	of, to := &entrant{}, &entrant{}
	for _, pace := range []struct{ of, to int }{{8, 1}, {100, 10}, {36, 3}} { // the machine was ten times as fast once
		of.results = append(of.results, result{jobs: pace.of, took: time.Second})
		to.results = append(to.results, result{jobs: pace.to, took: time.Second})
	}
	if got := ratio(of, to); got != 10 {
		t.Errorf("ratio %v, want 10", got)
	}
}

func TestLine(t *testing.T) {
	e := fast("peer", 1000)
	for i := range e.results {
		e.results[i].syncsErr = errNotCounted
	}
	line := e.line()
	for _, want := range []string{"peer ", " 1000 ", "not counted", "[1000 2000 500]", "as it comes"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
}
