package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// referenceSync is how long an append of 4 KiB and its sync took on the machine
// the known rates of the peers are of: two shared cores.
const referenceSync = 310 * time.Microsecond

// tolerated is the part of its known rate below which a peer is not itself:
// badly driven, or disturbed.
const tolerated = 0.5

// entrant is a system in one discipline: one job a call, or many.
type entrant struct {
	name     string
	variants []variant // ways to drive it; the fastest enters
	batch    int
	known    float64 // jobs/s with syncs of referenceSync; 0: nothing is known
	synced   bool    // whether acknowledgements wait for syncs

	results []result // of the rounds
}

// variant is one way to drive a system.
type variant struct {
	label  string
	system system
}

// choose tries all variants briefly and keeps the fastest.
func (e *entrant) choose(ctx context.Context, out io.Writer, place string, length time.Duration) error {
	if len(e.variants) == 1 {
		return nil
	}
	best, bestRate := e.variants[0], 0.0
	for _, v := range e.variants {
		r, err := load{length, e.batch}.run(ctx, v.system, place)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", e.name, v.label, err)
		}
		say(out, "  %-18s %-44s %8.0f jobs/s\n", e.name, v.label, r.rate())
		if r.rate() > bestRate {
			best, bestRate = v, r.rate()
		}
	}
	e.variants = []variant{best}
	return nil
}

// round runs the entrant once.
func (e *entrant) round(ctx context.Context, place string, length time.Duration) error {
	r, err := load{length, e.batch}.run(ctx, e.variants[0].system, place)
	if err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	e.results = append(e.results, r)
	return nil
}

// median is the result with the middle rate.
func (e *entrant) median() result {
	sorted := slices.SortedFunc(slices.Values(e.results), func(a, b result) int { return cmp.Compare(a.rate(), b.rate()) })
	return sorted[len(sorted)/2]
}

// expected is the rate a peer has at least here: what is known of it, less by
// as much as syncs take longer here. Faster syncs do not raise it, because then
// processors are the limit.
func (e *entrant) expected(syncTime time.Duration) float64 {
	if !e.synced || syncTime <= referenceSync {
		return e.known
	}
	return e.known * float64(referenceSync) / float64(syncTime)
}

// judge refuses a peer that is not itself: to be better than that proves
// nothing.
func (e *entrant) judge(syncTime time.Duration) error {
	rate, expected := e.median().rate(), e.expected(syncTime)
	if rate < tolerated*expected {
		return fmt.Errorf("%s makes %.0f jobs/s, and %.0f are known of it with this disk: something disturbs it, or it is driven badly",
			e.name, rate, expected)
	}
	return nil
}

// line describes the median of the rounds.
func (e *entrant) line() string {
	r := e.median()
	syncs := fmt.Sprintf("%11.3f", r.syncs)
	if r.syncsErr != nil {
		syncs = fmt.Sprintf("%11s", r.syncsErr)
	}
	var rates []int
	for _, r := range e.results {
		rates = append(rates, int(r.rate()))
	}
	return fmt.Sprintf("%-18s %8.0f %9.2f %9.2f %9d %9d %s  %v %s", e.name, r.rate(),
		milliseconds(quantile(r.waits, 0.5)), milliseconds(quantile(r.waits, 0.99)),
		r.perJob(r.server).Microseconds(), r.perJob(r.own).Microseconds(), syncs, rates, e.variants[0].label)
}

// title is the heading of the lines.
const title = "                     jobs/s   submit p50/p99 ms   CPU us/job server/own  syncs/job  rounds, variant"

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// say writes for people; whether anybody reads it changes nothing.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
